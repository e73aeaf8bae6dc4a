/* SPDX-License-Identifier: Apache-2.0 */
/* A waiting request is in the list of its share and in that of its session, and is counted in both, by its user and by
 * the broker: all of that happens here. */
#include "daemon/core/waiting.h"

#include <stdlib.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/demand_check.h"
#include "daemon/core/victim.h"

/* One more waits, or one less. */
static void count(struct broker *broker, const struct waiting *waiting, bool add)
{
    const uint64_t one = add ? 1 : UINT64_MAX; /* unsigned arithmetic wraps: this is minus one */
    waiting->session->waiting_count += (size_t)one;
    waiting->share->user->under_way += one;
    share_count_waiting(waiting->share, waiting->demand.bytes, add);
    broker->waiting_count += one;
    broker->waiting_bytes += one * waiting->demand.bytes;
}

struct waiting *waiting_new(struct broker *broker, struct session *session, const struct demand *demand, uint64_t now)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting) {
        return NULL;
    }
    TAILQ_INIT(&waiting->victims);
    waiting->session = session;
    waiting->share = session->share;
    waiting->demand = *demand;
    waiting->number = ++broker->next_waiting;
    waiting->since = now;
    TAILQ_INSERT_TAIL(&session->share->waiting, waiting, in_share);
    TAILQ_INSERT_TAIL(&session->waiting, waiting, in_session);
    count(broker, waiting, true);
    return waiting;
}

static void count_bytes(struct broker *broker, const struct waiting *waiting, bool add)
{
    uint64_t bytes = waiting->demand.bytes;
    broker->waiting_bytes = add ? broker->waiting_bytes + bytes : broker->waiting_bytes - bytes;
    share_count_waiting_bytes(waiting->share, bytes, add);
}

bool waiting_check_again(struct step *step, struct waiting *waiting)
{
    struct broker *broker = step->broker;
    count_bytes(broker, waiting, false);
    bool is_valid = demand_check(step, waiting->session, &waiting->demand);
    count_bytes(broker, waiting, true);
    return is_valid;
}

void waiting_promise(struct broker *broker, struct waiting *waiting, uint64_t until)
{
    if (!waiting->promised_until) {
        TAILQ_INSERT_TAIL(&broker->promised, waiting, in_promised);
    }
    waiting->promised_until = until;
}

void waiting_free(struct broker *broker, struct waiting *waiting)
{
    if (waiting->promised_until) {
        TAILQ_REMOVE(&broker->promised, waiting, in_promised);
    }
    TAILQ_REMOVE(&waiting->share->waiting, waiting, in_share);
    TAILQ_REMOVE(&waiting->session->waiting, waiting, in_session);
    count(broker, waiting, false);
    victim_spare_all(broker, waiting);
    free(waiting);
}

void waiting_drop_session(struct broker *broker, struct session *session)
{
    struct waiting *waiting, *next;
    for (waiting = TAILQ_FIRST(&session->waiting); waiting; waiting = next) {
        next = TAILQ_NEXT(waiting, in_session);
        waiting_free(broker, waiting);
    }
    broker->retry_waiting = true; /* those behind it may be served now */
}

void waiting_follow_session(struct session *session)
{
    struct waiting *waiting, *other;
    TAILQ_FOREACH(waiting, &session->waiting, in_session) {
        TAILQ_REMOVE(&waiting->share->waiting, waiting, in_share);
        share_count_waiting(waiting->share, waiting->demand.bytes, false);
        waiting->share = session->share;
        share_count_waiting(waiting->share, waiting->demand.bytes, true);
        TAILQ_FOREACH(other, &session->share->waiting, in_share) {
            if (other->number > waiting->number) {
                break;
            }
        }
        if (other) {
            TAILQ_INSERT_BEFORE(other, waiting, in_share);
        } else {
            TAILQ_INSERT_TAIL(&session->share->waiting, waiting, in_share);
        }
    }
}
