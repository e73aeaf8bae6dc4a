/* SPDX-License-Identifier: Apache-2.0 */
/* Refusing a request that does not fit. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

/* Counts a refusal whose figures session->last_refusal has, and remembers it for `why`. */
void refusal_remember(struct step *step, struct session *session, const struct wish *wish, enum location location);

/* Takes a refusal's figures and holders, counts it, and remembers it for `why`. */
void refusal_note(struct step *step, struct session *session, const struct wish *wish, const struct denial *denial);

/* Refuses a request that does not wait, or no longer, and remembers the refusal for `why`. */
void refusal_answer(struct step *step, struct session *session, const struct demand *demand,
                    const struct denial *denial, uint64_t waited_ns);
