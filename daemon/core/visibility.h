/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a viewer may see by name. */
#pragma once

#include "daemon/core/broker_state.h"

bool visibility_is_administrator(const struct broker *broker, const struct identity *identity);

bool visibility_shows_all(const struct broker *broker, const struct identity *viewer);
bool visibility_shows_user(const struct broker *broker, const struct identity *viewer, uint32_t uid);

/* NULL: one that is not there any more. */
bool visibility_shows_reservation(const struct broker *broker, const struct identity *viewer,
                                  const struct reservation *reservation);
bool visibility_shows(const struct broker *broker, const struct identity *viewer, const struct session *session);

/* Takes out of a refusal which sessions hold, and wait ahead, if the viewer may not see them. Their users stay. */
void visibility_hide(const struct broker *broker, const struct identity *viewer, struct refusal *refusal);
