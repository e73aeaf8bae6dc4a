/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/queue_order.h"

#include "daemon/core/fair_share.h"
#include "proto/base/size.h"

enum { OVERDUE_TIMES = 4 }; /* longer than ageing to the highest priority takes */

uint32_t queue_order_level(const struct broker *broker, const struct waiting *waiting, uint64_t now)
{
    uint64_t ageing = broker->options.settings.queue.ageing_ms * NANOSECONDS_PER_MILLISECOND;
    uint64_t aged = ageing ? (now - waiting->since) / ageing : 0;
    uint64_t top = broker->principals.top_priority;
    uint64_t own = size_min(waiting->share->priority, top);
    if (aged >= top - own + OVERDUE_TIMES) {
        return (uint32_t)top + 1;
    }
    return (uint32_t)size_min(own + aged, top);
}

static bool goes_before(const struct broker *broker, const struct share *a, const struct share *b, uint64_t now)
{
    uint32_t level_a = queue_order_level(broker, a->next, now), level_b = queue_order_level(broker, b->next, now);
    int order = 0;
    if (level_a != level_b) {
        return level_a > level_b;
    }
    if (level_a <= broker->principals.top_priority) {
        order = fair_share_compare(broker, a, b);
    }
    return order ? order < 0 : a->next->number < b->next->number;
}

static bool is_promised(const struct waiting *waiting, uint64_t now)
{
    return now < waiting->promised_until;
}

static struct waiting *next_promised(struct broker *broker, uint64_t now)
{
    struct waiting *waiting = broker->next_promised;
    while (waiting && !is_promised(waiting, now)) {
        waiting = TAILQ_NEXT(waiting, in_promised);
    }
    broker->next_promised = waiting ? TAILQ_NEXT(waiting, in_promised) : NULL;
    if (waiting && waiting->share->next == waiting) { /* it may be gone when the turn of its share comes */
        waiting->share->next = TAILQ_NEXT(waiting, in_share);
    }
    return waiting;
}

static struct waiting *next_by_share(struct broker *broker, uint64_t now)
{
    struct share *share, *best = NULL;
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        if (share->next && (!best || goes_before(broker, share, best, now))) {
            best = share;
        }
    }
    struct waiting *waiting = best ? best->next : NULL;
    if (waiting) {
        best->next = TAILQ_NEXT(waiting, in_share);
    }
    return waiting;
}

struct waiting *queue_order_next(struct broker *broker, uint64_t now)
{
    struct waiting *waiting = next_promised(broker, now);
    if (waiting) {
        return waiting;
    }
    do {
        waiting = next_by_share(broker, now);
    } while (waiting && is_promised(waiting, now)); /* it was the turn of that already */
    return waiting;
}

struct waiting *queue_order_first(struct broker *broker, uint64_t now)
{
    struct share *share;
    broker->next_promised = TAILQ_FIRST(&broker->promised);
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        share->next = TAILQ_FIRST(&share->waiting);
    }
    return queue_order_next(broker, now);
}

void queue_order_claim(struct waiting *waiting)
{
    ledger_claim(&waiting->session->account, waiting->claims_up_to, waiting->demand.bytes);
    share_claim_lease(waiting->share, waiting->last_lease);
    waiting->has_claimed = true;
}

void queue_order_end(struct broker *broker)
{
    struct share *share;
    struct waiting *waiting;
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        TAILQ_FOREACH(waiting, &share->waiting, in_share) {
            /* what was served is out of its list, which the analyzer does not follow */
            // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
            if (waiting->has_claimed) {
                ledger_forget_claims(&waiting->session->account);
                share_forget_claims(share);
                waiting->has_claimed = false;
            }
        }
    }
}

/* Each that waits claims what it did at the last look at it. */
void queue_order_claim_all(struct broker *broker)
{
    const struct share *share;
    struct waiting *waiting;
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        TAILQ_FOREACH(waiting, &share->waiting, in_share) {
            queue_order_claim(waiting);
        }
    }
}
