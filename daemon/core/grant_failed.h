/* SPDX-License-Identifier: Apache-2.0 */
/* A segment could not be made. */
#pragma once

#include "daemon/core/broker_state.h"

void grant_failed(struct step *step, struct segment *segment, const struct input_segment *failed);
