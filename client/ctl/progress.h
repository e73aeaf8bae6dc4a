/* SPDX-License-Identifier: Apache-2.0 */
/* How far the copying of a large block is: a line on standard error, if that is a terminal. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    uint64_t all; /* bytes */
    uint64_t shown_at;
    bool is_shown, has_line;
};

struct progress progress_begin(uint64_t all);

/* At most five times a second. */
void progress_note(struct progress *progress, uint64_t done);

/* Removes the line. */
void progress_end(const struct progress *progress);
