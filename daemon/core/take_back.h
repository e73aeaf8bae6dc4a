/* SPDX-License-Identifier: Apache-2.0 */
/* Who may end what a user has published or put. */
#pragma once

#include "daemon/core/broker_state.h"

/* Whether this one may know that there is a block or object of that access. */
bool take_back_is_shown(const struct broker *broker, const struct identity *by, enum block_access access,
                        uint32_t owner, uint32_t gid);

/* Whether the sender of the request may end it: its owner, or an administrator. An answer if not; `what` is "block" or
 * "object", and `verb` what is done with it. */
bool take_back_check(struct step *step, const struct input *input, uint32_t owner, const char *what, const char *name,
                     const char *verb);
