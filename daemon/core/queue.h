/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait for memory. */
#pragma once

#include "daemon/core/broker_state.h"

/* Serves an acquire or extend now, or lets it wait. `file_bytes`: how long the file that it names is now. */
void queue_request(struct step *step, struct session *session, const struct request *request, uint64_t file_bytes);

/* Looks at all that wait, if anything has happened that may make room. */
void queue_retry(struct step *step, bool is_tick);

/* Answers the cancellation, and the request that is cancelled. */
void queue_cancel(struct step *step, struct session *session, const struct request *request);

/* When the queue is to be looked at again; UINT64_MAX: none waits. */
uint64_t queue_next_pass(const struct broker *broker);
