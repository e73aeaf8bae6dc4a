/* SPDX-License-Identifier: Apache-2.0 */
/* Granting what a request asks for. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/place.h"

enum attempt {
    ATTEMPT_ANSWERED, /* by a grant in the making, or an error */
    ATTEMPT_SHORT,    /* it does not fit now: nothing was done */
};

/* Serves an acquire or extend. */
enum attempt grant_try(struct step *step, struct session *session, const struct request *request,
                       enum file_choice files, struct denial *ret_denial);
void grant_made(struct step *step, struct segment *segment, const struct input_segment *made);

/* A rounded size, and the location, of an acquire or extend. */
uint64_t grant_bytes(const struct broker *broker, const struct session *session, const struct request *request);
enum location grant_location(const struct broker *broker, const struct request *request);
