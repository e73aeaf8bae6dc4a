/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that a client repeats because it never had an answer. */
#pragma once

#include "daemon/core/broker_state.h"

/* What a request is remembered by: its id, or that of the request that it repeats. */
uint64_t request_key(const struct request *request);

/* Answers a request that was served before, or lets the one that is under way answer it. False: it is new. */
bool repeat_answer(struct step *step, struct session *session, const struct request *request);
