/* SPDX-License-Identifier: Apache-2.0 */
/* Refusing an object because its board can't grow. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

/* The user's boards are as large as they may be. */
void board_refuse_full(struct step *step, struct session *session, const struct board *board, uint64_t request_id);

/* A limit on memory refuses it. What comes free is told, so that the client sends the request again. */
void board_refuse(struct step *step, struct session *session, const struct denial *denial, uint64_t request_id);
