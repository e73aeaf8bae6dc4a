/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repetitions: a client whose connection broke before an answer came asks again, and says so. What was granted is
 * not granted twice, whether the answer was lost, is still to come, or the daemon was restarted in between.
 */
#include "daemon/core/repeat.h"

#include "daemon/core/answer.h"
#include "daemon/core/grant_answer.h"

static struct waiting *find_waiting(const struct session *session, uint64_t key)
{
    struct waiting *waiting;
    TAILQ_FOREACH(waiting, &session->waiting, in_session) {
        if (demand_key(&waiting->demand) == key) {
            return waiting;
        }
    }
    return NULL;
}

static struct segment *find_segment(const struct session *session, uint64_t key)
{
    const struct lease *lease;
    struct segment *segment;
    for (lease = session_next_lease(session, 0); lease; lease = session_next_lease(session, lease->id)) {
        TAILQ_FOREACH(segment, &lease->segments, in_lease) {
            if (segment->key == key) {
                return segment;
            }
        }
    }
    return NULL;
}

bool repeat_answer(struct step *step, struct session *session, const struct demand *demand)
{
    uint64_t key = demand->repeats;
    struct waiting *waiting = key ? find_waiting(session, key) : NULL;
    if (waiting) {
        waiting->demand.request_id = demand->request_id;
        waiting->demand.repeats = key;
        return true;
    }
    struct segment *segment = key ? find_segment(session, key) : NULL;
    if (segment && segment->is_published) {
        answer_error(step, session->peer, demand->request_id, ERROR_INVALID,
                     "lease %llu was granted to that request, and a publication of it was asked for since",
                     (unsigned long long)segment->lease->id);
    } else if (segment && segment->state == SEGMENT_MAKING) {
        segment->request_id = demand->request_id;
    } else if (segment) {
        grant_answer(step, segment, demand->request_id);
    }
    return segment;
}
