/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/deadline.h"

#include "proto/base/size.h"

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Members of reservations only: what they hold is set aside for them, and costs nobody else anything. */
uint64_t deadline_held_until(const struct session *session)
{
    const struct quota *quota = &session->share->class->quota;
    bool grants = quota->is_reservation && quota->max_leases > 0; /* it was not given up */
    return grants ? later(quota->held_until, session->is_frozen ? session->hold_limit : 0) : 0;
}

uint64_t deadline_renewed(const struct lease *lease)
{
    const struct session *session = lease->session;
    uint64_t from = later(later(session->renewed_at, lease->granted_at), deadline_held_until(session));
    return size_add_saturated(from, lease->ttl_ns);
}

uint64_t deadline_of(const struct lease *lease)
{
    const struct session *session = lease->session;
    return session->state == SESSION_DETACHED ? later(session->grace_until, deadline_held_until(session))
                                              : deadline_renewed(lease);
}

bool deadline_needs_read(const struct lease *lease, uint64_t now)
{
    const struct session *session = lease->session;
    return session->state == SESSION_CONNECTED && deadline_renewed(lease) <= now && session->input_read_at < now;
}
