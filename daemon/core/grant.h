/* SPDX-License-Identifier: Apache-2.0 */
/* Granting what a request asks for. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/place.h"

enum attempt {
    ATTEMPT_ANSWERED, /* by a grant in the making, or an error */
    ATTEMPT_SHORT,    /* it does not fit now: nothing was done */
};

/* Serves a demand that was checked. */
enum attempt grant_try(struct step *step, struct session *session, const struct demand *demand, enum file_choice files,
                       struct denial *ret_denial);
void grant_made(struct step *step, struct segment *segment, const struct input_segment *made);
