/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/about.h"

struct log_about about_peer(const struct peer *peer, enum log_event event, uint64_t lease)
{
    return (struct log_about){.event = event,
                              .lease = lease,
                              .session = peer->session,
                              .has_uid = true,
                              .uid = identity_charged(&peer->identity)};
}
