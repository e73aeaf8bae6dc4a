/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that their borrower has changed. */
#pragma once

#include "daemon/runtime/segments.h"

/*
 * Whether a living segment is still as it was made: its exact length, and if it is a file, every block allocated and
 * none behind its end.
 */
bool tampering_is_absent(const struct segment_file *file, const struct inode_view *view);

/* Logs the change, with what follows from it. Once for each segment, and within a budget: its borrower may do so again
 * and again. */
void tampering_log(struct segment_file *file, uint64_t lease, const struct inode_view *view, const char *consequence);

/* A segment came back and was freed: logs how it was then, if that was not logged before. */
void tampering_log_freed(struct segment_file *file, const struct inode_view *view);
