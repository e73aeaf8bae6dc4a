/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that a client repeats because it never had an answer. */
#pragma once

#include "daemon/core/broker_state.h"

/* Answers a request that was served before, or lets the one that is under way answer it. False: it is new. */
bool repeat_answer(struct step *step, struct session *session, const struct demand *demand);
