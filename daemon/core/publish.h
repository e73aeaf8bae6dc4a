/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing blocks, and taking their names away. */
#pragma once

#include "daemon/core/broker_state.h"

/* Checks the request and has the segment sealed, or refuses it. */
void publish_request(struct step *step, struct session *session, const struct request *request);

/* The segment is sealed, or (negative errno) it could not be. */
void publish_sealed(struct step *step, struct segment *segment, int error);

/* Of a session, or of a monitor. */
void publish_take_back(struct step *step, const struct input *input);
