/* SPDX-License-Identifier: Apache-2.0 */
/* How often something took how long: counts by duration, in buckets that are fixed. Pure; one thread at a time. */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 23 }; /* the last one has what is longer than every bound */

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS]; /* of each bucket alone */
    uint64_t sum_ns;
};

/* The upper bounds in nanoseconds: 10 us, 25 us, 50 us and so on, up to 100 s. A duration that equals one is within. */
extern const uint64_t histogram_bounds[HISTOGRAM_BUCKETS - 1];

void histogram_note(struct histogram *histogram, uint64_t nanoseconds);
