/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a session, and its connections that come and go. */
#pragma once

#include "daemon/core/broker_state.h"

/* Opens a session for a client that said hello, or answers why not. */
void sessions_open(struct step *step, const struct input *input);

/* The client is back on another connection. The time before does not count: it could not renew. */
void sessions_resume(struct step *step, struct session *session, uint64_t request_id);

/* The connection ended. A session without leases is over; others may be resumed within the grace time. */
void sessions_disconnect(struct step *step, struct session *session);
