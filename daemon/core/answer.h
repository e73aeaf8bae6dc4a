/* SPDX-License-Identifier: Apache-2.0 */
/* Answers and events, as effects. */
#pragma once

#include "daemon/core/broker_state.h"

/* An answer to fill in; NULL if the request has no id, and so wants none. */
struct reply *answer_to(struct step *step, void *peer, uint64_t request_id, enum reply_kind kind);

/* An event to fill in. */
struct reply *answer_event(struct step *step, void *peer, enum reply_kind kind);

__attribute__((format(printf, 5, 6))) void answer_error(struct step *step, void *peer, uint64_t request_id,
                                                        enum error_code code, const char *format, ...);

/* The same for the want of memory for the core's own tables. */
void answer_out_of_tables(struct step *step, void *peer, uint64_t request_id);
