/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at descriptors that came from the broker before they are mapped: a mapping beyond the end of its file is a
 * SIGBUS later, at a place that nobody understands.
 */
#pragma once

#include <stdint.h>

/* What is wrong with a control page of at least `bytes`; NULL: nothing. */
const char *received_control_fault(int fd, uint64_t bytes);

/* What is wrong with a segment of exactly `bytes`, whole pages; a file's last page may be begun only. NULL: nothing. */
const char *received_segment_fault(int fd, uint64_t bytes, _Bool is_file);
