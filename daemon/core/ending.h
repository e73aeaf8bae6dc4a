/* SPDX-License-Identifier: Apache-2.0 */
/* The end of leases, sessions and segments. */
#pragma once

#include "daemon/core/broker_state.h"

void ending_lease(struct step *step, struct lease *lease, enum end_reason reason);
/* A view that is taken from its reader, for the reason for which the block has ended. The reader is always told: the
 * reason may be that the publisher released its lease. */
void ending_view(struct step *step, struct lease *view);
void ending_revoked(struct step *step, struct lease *lease, const struct effect_cause *cause);
void ending_session(struct step *step, struct session *session, enum end_reason reason);

/* Ends the leases of sessions that are over, as many as one step may. */
void ending_work(struct step *step);

void ending_segment_freed(struct step *step, struct segment *segment);

/* Removes a segment's charge and the segment; then its lease and session, if it was the last. */
void ending_drop_segment(struct step *step, struct segment *segment);
