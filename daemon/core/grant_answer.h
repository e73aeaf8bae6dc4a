/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to a request for a lease or an extension. */
#pragma once

#include "daemon/core/broker_state.h"

/* Answers with a segment that lives, and its descriptor. */
void grant_answer(struct step *step, const struct segment *segment, uint64_t request_id);
