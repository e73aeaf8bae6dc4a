/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares by weight: which of two classes, or of two users of a class, goes first if both wait with one priority.
 *
 * The one that holds the least for its weight does, where half of what is asked for on the average counts as held: so
 * shares are right on the whole if requests are of one size, however large. (Rounding as Webster's method of
 * apportionment does; without the half, small weights get more than theirs, with all of it, large ones.)
 *
 * That alone gives too much to a class whose requests are larger than others', and most if they are larger than its
 * share: it goes first whenever it holds nothing. So classes and users are charged for what they have beyond their
 * share while others wait, in bytes times time, and credited with what they lack while they wait themselves. Charges
 * fade in about two minutes, and a credit ends with the wait. So no share saves up for later, or pays for long.
 */
#include "daemon/core/fair_share.h"

#include "proto/base/size.h"

/* A byte too much for so long counts like a byte that is held; */
#define CHARGE_TIME ((int64_t)NANOSECONDS_PER_SECOND)

/* and is remembered for so long. */
#define FADE_TIME (120 * NANOSECONDS_PER_SECOND)

/* Less does not count, nor bring those who are charged alike out of their order. */
#define CHARGE_UNIT 4096

/* Passes follow sooner while anything waits. */
#define CHARGE_MOST NANOSECONDS_PER_SECOND

static __int128 standing(const struct broker *broker, const struct account *account, const struct served *served)
{
    uint64_t average = broker->waiting_bytes / broker->waiting_count;
    uint64_t holds = size_add_saturated(account_held(account), account->claimed_sum);
    return (__int128)holds + average / 2 + served->charged / CHARGE_TIME / CHARGE_UNIT * CHARGE_UNIT;
}

/* Which of two stands lower for its weight: negative, the first does. */
static int compare(__int128 a, uint32_t weight_a, __int128 b, uint32_t weight_b)
{
    return (a * weight_b > b * weight_a) - (a * weight_b < b * weight_a);
}

int fair_share_compare(const struct broker *broker, const struct share *a, const struct share *b)
{
    const struct principal *class_a = a->class, *class_b = b->class;
    if (class_a == class_b) {
        return compare(standing(broker, &a->account, &a->served), a->weight, standing(broker, &b->account, &b->served),
                       b->weight);
    }
    return compare(standing(broker, &class_a->account, &class_a->served), class_a->quota.weight,
                   standing(broker, &class_b->account, &class_b->served), class_b->quota.weight);
}

/* ---- charging ---- */

static void charge(struct served *served, uint64_t time)
{
    __int128 fades = served->charged / (int64_t)FADE_TIME * (int64_t)size_min(time, FADE_TIME);
    served->charged += served->excess * (int64_t)size_min(time, CHARGE_MOST) - fades;
}

void fair_share_charge(struct step *step)
{
    struct principal_table *principals = &step->broker->principals;
    uint64_t time = step->now - step->broker->charged_at;
    struct share *share;
    struct principal *class;
    TAILQ_FOREACH(class, &principals->principals[PRINCIPAL_CLASS], in_table) {
        charge(&class->served, time);
    }
    TAILQ_FOREACH(share, &principals->shares, in_table) {
        charge(&share->served, time);
    }
    step->broker->charged_at = step->now;
}

/* ---- what is beyond a share ---- */

/* Whether something of the share waits for room in an account. At a limit of its own it lacks no share. */
static bool waits_for(const struct share *share, const struct account *account)
{
    const struct waiting *waiting;
    TAILQ_FOREACH(waiting, &share->waiting, in_share) {
        FOR_EACH_LOCATION(location)
        {
            if (waiting->claims_up_to[location] == account) {
                return true;
            }
        }
    }
    return false;
}

static void add(struct sharers *sharers, const struct account *account, uint32_t weight)
{
    sharers->held += account_held(account);
    sharers->weight += weight;
}

/* Among the shares that wait, and itself. If none waits, nothing exceeds a share; one that does not wait needs none. */
static void settle(struct served *served, const struct account *account, uint32_t weight, struct sharers among)
{
    if (!served->waits) {
        add(&among, account, weight);
    }
    served->excess = (__int128)account_held(account) - (__int128)among.held * weight / among.weight;
    if (!served->waits) {
        served->excess = served->excess > 0 ? served->excess : 0;
        served->charged = served->charged > 0 ? served->charged : 0;
    }
}

/* Counts what the shares that wait hold, in each class, and the classes that have such. */
static struct sharers find_sharers(struct principal_table *principals)
{
    struct sharers all = {0};
    struct share *share;
    struct principal *class;
    TAILQ_FOREACH(class, &principals->principals[PRINCIPAL_CLASS], in_table) {
        class->sharers = (struct sharers){0};
        class->served.waits = false;
    }
    TAILQ_FOREACH(share, &principals->shares, in_table) {
        bool waits_for_host = waits_for(share, principals->host);
        share->served.waits = waits_for_host || waits_for(share, &share->class->account);
        if (share->served.waits) {
            add(&share->class->sharers, &share->account, share->weight);
        }
        if (waits_for_host && !share->class->served.waits) {
            share->class->served.waits = true;
            add(&all, &share->class->account, share->class->quota.weight);
        }
    }
    return all;
}

void fair_share_settle(struct broker *broker)
{
    const struct sharers all = find_sharers(&broker->principals);
    struct share *share;
    struct principal *class;
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        settle(&share->served, &share->account, share->weight, share->class->sharers);
    }
    TAILQ_FOREACH(class, &broker->principals.principals[PRINCIPAL_CLASS], in_table) {
        settle(&class->served, &class->account, class->quota.weight, all);
    }
}
