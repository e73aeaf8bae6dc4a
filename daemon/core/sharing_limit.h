/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of [sharing]: on what a user has of blocks, views, objects, boards and watches, and a session of watches.
 */
#pragma once

#include "daemon/core/broker_state.h"

/* How the session or its user stands to such a limit now, for one who asks for so much. */
struct refusal sharing_limit_figures(const struct broker *broker, const struct session *session, enum limit_kind kind,
                                     uint64_t asked);

/* Refuses it, and remembers the refusal for `why`. The answer lacks its sentence; NULL: none is wanted. */
struct error_reply *sharing_limit_refuse(struct step *step, struct session *session, enum limit_kind kind,
                                         uint64_t asked, uint64_t request_id);

/* Whether there is room for one more; refuses it if not. Not for LIMIT_KIND_BOARD_BYTES. */
bool sharing_limit_check(struct step *step, struct session *session, enum limit_kind kind, uint64_t request_id);
