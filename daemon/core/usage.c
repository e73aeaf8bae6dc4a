/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the accounts of users, groups, classes and reservations: nothing here changes anything. */
#include "daemon/core/broker.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/visibility.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

static bool is_shown(const struct broker *broker, const struct identity *viewer, const struct principal *principal)
{
    if (principal->kind == PRINCIPAL_USER) {
        return visibility_shows_user(broker, viewer, principal->id);
    }
    if (principal->kind == PRINCIPAL_GROUP) {
        return visibility_shows_all(broker, viewer) || identity_has_group(viewer, principal->id);
    }
    return !principal->quota.is_reservation ||
           visibility_shows_reservation(broker, viewer, reservation_named(&broker->reservations, principal->name));
}

static const struct principal *next_shown(const struct broker *broker, const struct identity *viewer,
                                          struct principal_walk *walk)
{
    const struct principal *principal = principal_walk_next(walk);
    while (principal && !is_shown(broker, viewer, principal)) {
        principal = principal_walk_next(walk);
    }
    return principal;
}

static enum usage_kind kind_of(const struct principal *principal)
{
    static const enum usage_kind kinds[PRINCIPAL_KINDS] = {
        [PRINCIPAL_USER] = USAGE_USER, [PRINCIPAL_GROUP] = USAGE_GROUP, [PRINCIPAL_CLASS] = USAGE_CLASS};
    return principal->quota.is_reservation ? USAGE_RESERVATION : kinds[principal->kind];
}

static bool is_below(const struct share *share, const struct principal *principal)
{
    const struct principal *const above[PRINCIPAL_KINDS] = {share->user, share->group, share->class};
    return above[principal->kind] == principal;
}

/* Of those below a principal; NULL: of all. Each share's list is in the order of age. */
static uint64_t oldest_wait_ms(const struct broker *broker, const struct principal *principal, uint64_t now)
{
    const struct share *share;
    uint64_t oldest = 0;
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        const struct waiting *first = TAILQ_FIRST(&share->waiting);
        if (first && (!principal || is_below(share, principal))) {
            oldest = size_max(oldest, size_subtract_floored(now, first->since));
        }
    }
    return oldest / NANOSECONDS_PER_MILLISECOND;
}

static void fill(const struct broker *broker, const struct principal *principal, uint64_t now,
                 struct usage_entry *entry)
{
    const struct account *account = &principal->account;
    *entry = (struct usage_entry){
        .number = principal->number,
        .kind = kind_of(principal),
        .has_id = principal->kind != PRINCIPAL_CLASS,
        .id = principal->id,
        .bytes = account_used(account, LEDGER_MAX_BYTES),
        .physical_bytes = account_used(account, LEDGER_MAX_PHYSICAL_BYTES),
        .mapped_bytes = account_used(account, LEDGER_MAX_MAPPED_BYTES),
        .freeing_bytes = ledger_counted(account->freeing, LEDGER_MAX_BYTES),
        .limits = account->limits,
        .reserve_bytes = account->reserve_bytes,
        .sessions = principal->sessions,
        .leases = principal->leases,
        .waiting = principal->waiting,
        .waiting_bytes = principal->waiting_bytes,
        .waiting_oldest_ms = principal->waiting ? oldest_wait_ms(broker, principal, now) : 0,
        .peak_bytes = account->peak_sum,
        .peak_physical_bytes = ledger_counted(account->peak, LEDGER_MAX_PHYSICAL_BYTES),
        .peak_mapped_bytes = ledger_counted(account->peak, LEDGER_MAX_MAPPED_BYTES),
        .weight = principal->quota.weight,
    };
    text_copy(entry->name, sizeof entry->name, principal->name);
}

size_t broker_list_usage(const struct broker *broker, const struct identity *viewer, uint64_t after, uint64_t now,
                         struct usage_entry *entries, size_t max, bool *ret_more)
{
    struct principal_walk walk = principal_walk_begin(&broker->principals, after);
    const struct principal *principal = next_shown(broker, viewer, &walk);
    size_t count = 0;
    for (; principal && count < max; principal = next_shown(broker, viewer, &walk)) {
        fill(broker, principal, now, &entries[count++]);
    }
    *ret_more = principal;
    return count;
}

/* ---- samples ---- */

static struct sample_entry sample_of(const struct account *account)
{
    return (struct sample_entry){
        .physical_bytes = account_used(account, LEDGER_MAX_PHYSICAL_BYTES),
        .mapped_bytes = account_used(account, LEDGER_MAX_MAPPED_BYTES),
        .limits = account->limits,
    };
}

size_t broker_sample(const struct broker *broker, struct sample_entry *ret, size_t max)
{
    const struct principal *class;
    size_t count = 0;
    ret[count++] = sample_of(&broker->host);
    TAILQ_FOREACH(class, &broker->principals.principals[PRINCIPAL_CLASS], in_table) {
        if (count < max && account_used(&class->account, LEDGER_MAX_BYTES)) {
            struct sample_entry *entry = &ret[count++];
            *entry = sample_of(&class->account);
            entry->is_reservation = class->quota.is_reservation;
            text_copy(entry->class, sizeof entry->class, class->name);
        }
    }
    return count;
}

/* ---- figures ---- */

const struct figures *broker_figures(const struct broker *broker)
{
    return &broker->figures;
}

void broker_fill_waiting(const struct broker *broker, uint64_t now, uint64_t *ret_bytes, uint64_t *ret_oldest_ms)
{
    *ret_bytes = broker->waiting_bytes;
    *ret_oldest_ms = oldest_wait_ms(broker, NULL, now);
}
