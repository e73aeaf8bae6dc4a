/* SPDX-License-Identifier: Apache-2.0 */
/* What a request of a client does. */
#pragma once

#include "daemon/core/broker_state.h"

/* `session` NULL: the connection has none. */
void requests_handle(struct step *step, const struct input *input, struct session *session);
