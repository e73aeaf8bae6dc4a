/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging what is due: leases that were not renewed, sessions that did not come back. No lease is
 * checked before everything that its client has sent was read.
 */
#include "daemon/core/expiry.h"

#include "daemon/core/answer.h"
#include "daemon/core/deadline.h"
#include "daemon/core/ending.h"
#include "daemon/core/hold.h"
#include "daemon/core/trim.h"
#include "proto/base/size.h"

static void warn(struct step *step, const struct lease *lease)
{
    uint64_t remaining = deadline_renewed(lease) - step->now;
    answer_event(step, lease->session->peer, EVENT_EXPIRING)->expiring =
        (struct expiring_event){lease->id, remaining / NANOSECONDS_PER_MILLISECOND};
}

/* False: its connection has to be read first. */
static bool expire_lease(struct step *step, struct lease *lease)
{
    const struct session *session = lease->session;
    if (session->state == SESSION_DETACHED) {
        uint64_t soon = size_add_saturated(step->now, lease->ttl_ns - lease->ttl_ns / 4); /* it may be resumed before */
        lease_table_postpone(&step->broker->leases, lease, size_min(soon, size_add_saturated(session->grace_until, 1)));
        return true;
    }
    if (deadline_needs_read(lease, step->now)) {
        return false;
    }
    if (hold_lease(step, lease)) {
        return true;
    }
    enum lease_verdict verdict = lease_table_check_due(&step->broker->leases, lease, step->now);
    if (verdict == LEASE_EXPIRED) {
        ending_lease(step, lease, END_EXPIRED);
    } else if (verdict == LEASE_EXPIRING) {
        warn(step, lease);
    }
    return true;
}

/* A lease of a session that is over is ended by ending_work(), in its turn; until then it is out of the way. */
static bool is_over(const struct lease *lease)
{
    return lease->session->state == SESSION_OVER;
}

static void expire_leases(struct step *step)
{
    for (int checked = 0; checked < EXPIRY_LEASES_PER_STEP; checked++) {
        struct lease *lease = lease_table_first_due(&step->broker->leases);
        if (!lease || lease->due > step->now || effect_room(step->effects) < EFFECTS_FOR_ONE_LEASE) {
            return;
        }
        if (is_over(lease)) {
            lease_table_postpone(&step->broker->leases, lease, step->now + 1);
        } else if (!expire_lease(step, lease)) {
            return;
        }
    }
}

static void expire_graces(struct step *step)
{
    for (int checked = 0; checked < EXPIRY_SESSIONS_PER_STEP; checked++) {
        struct session *session = session_table_first_grace(&step->broker->sessions);
        if (!session || session->grace_until > step->now) {
            return;
        }
        if (!hold_grace(step, session)) {
            ending_session(step, session, END_DISCONNECTED);
        }
    }
}

void expiry_work(struct step *step)
{
    expire_graces(step);
    expire_leases(step);
    trim_expire(step);
    if (step->broker->waiting_count && step->broker->waiting_beat <= step->now) {
        step->broker->retry_waiting = true;
    }
}
