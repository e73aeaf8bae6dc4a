/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/histogram.h"

#define DECADE(first) (first), (first)*5 / 2, (first)*5

const uint64_t histogram_bounds[HISTOGRAM_BUCKETS - 1] = {
    DECADE(UINT64_C(10000)),       DECADE(UINT64_C(100000)),    DECADE(UINT64_C(1000000)),
    DECADE(UINT64_C(10000000)),    DECADE(UINT64_C(100000000)), DECADE(UINT64_C(1000000000)),
    DECADE(UINT64_C(10000000000)), UINT64_C(100000000000),
};

void histogram_note(struct histogram *histogram, uint64_t nanoseconds)
{
    int bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS - 1 && nanoseconds > histogram_bounds[bucket]) {
        bucket++;
    }
    histogram->counts[bucket]++;
    histogram->sum_ns += nanoseconds;
}
