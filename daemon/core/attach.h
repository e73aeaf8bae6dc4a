/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching blocks. */
#pragma once

#include "daemon/core/broker_state.h"

/* Serves a request, has it wait for the name, or refuses it. */
void attach_request(struct step *step, struct session *session, const struct request *request);

/* Serves one that waits, if its block is there now, or refuses it, if its time is over. True: it waits no longer. */
bool attach_waiting(struct step *step, struct name_wait *wait);

/* Cancels a request that waits for a name. */
void attach_cancel(struct step *step, struct session *session, uint64_t request_id);
