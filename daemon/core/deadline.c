/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/deadline.h"

#include "proto/base/size.h"

uint64_t deadline_renewed(const struct lease *lease)
{
    uint64_t renewed_at = lease->session->renewed_at;
    uint64_t from = renewed_at > lease->granted_at ? renewed_at : lease->granted_at;
    return size_add_saturated(from, lease->ttl_ns);
}

uint64_t deadline_of(const struct lease *lease)
{
    const struct session *session = lease->session;
    return session->state == SESSION_DETACHED ? session->grace_until : deadline_renewed(lease);
}

bool deadline_needs_read(const struct lease *lease, uint64_t now)
{
    const struct session *session = lease->session;
    return session->state == SESSION_CONNECTED && deadline_renewed(lease) <= now && session->input_read_at < now;
}
