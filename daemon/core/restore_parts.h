/* SPDX-License-Identifier: Apache-2.0 */
/* What restoring leases and restoring blocks share. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/restore.h"

/* Whether such a number may have been given out; and no number up to it is given out again. */
bool restore_is_number(uint64_t number);
void restore_skip(uint64_t *next, uint64_t used);

/* Whether a segment may have so many bytes, beside those that were restored before. */
bool restore_is_size(const struct broker *broker, uint64_t bytes);

/* Whether a lease that is new to the broker may have had this number, slot and generation in the session. */
bool restore_is_lease(const struct broker *broker, uint64_t session, uint64_t lease, uint32_t slot,
                      uint64_t generation);

/* A lease that was granted before, without a segment yet. NULL: memory is short. */
struct lease *restore_lease(struct broker *broker, struct session *session, const struct lease_terms *terms,
                            uint64_t now);

/* Enters a segment that is there already, charged whatever the limits are. */
void restore_enter_segment(struct broker *broker, struct segment *segment, const struct kept_segment *kept,
                           struct account *account, void *handle);
