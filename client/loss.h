/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a lease that is lost. */
#pragma once

#include <stddef.h>

#include "client/lease.h"

/* Room for the longest sentence of this library's own reasons. */
enum { LOSS_SENTENCE_BYTES = 384 };

/*
 * Writes "lease 7 (scratch) is lost: it was revoked" between two other texts; if the lease is the view of a block or
 * its publisher's memory, the sentence has the block's name. What does not fit `size` is cut. Returns the length. Takes
 * no lock and does only what a signal's handler may do.
 */
size_t loss_sentence(const mb_lease *lease, mb_end_reason reason, const char *before, const char *after, char *ret,
                     size_t size);
