/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a buffer costs by its size, for whatever makes buffers: some are alive at any time, each step frees the oldest
 * and makes another, and writes to its first byte. Prints "ns_SIZE" for 64 B to 64 MiB: median nanoseconds of a step.
 */
#pragma once

#include <stdio.h>

#include "tests/bench/measure.h"

enum { LOOP_LIVE = 8, LOOP_SAMPLES = 15, LOOP_STEPS = 20000, LOOP_STEPS_LARGE = 400, LOOP_LARGE = 1 << 20 };

/* Makes a buffer of `bytes` in slot `slot`, freeing what is there, and returns its memory. */
typedef char *loop_replace(unsigned slot, size_t bytes);

static inline __attribute__((always_inline)) double loop_sample(size_t bytes, int steps, loop_replace *replace)
{
    double start = clock_ns();
    for (int i = 0; i < steps; i++) {
        volatile char *memory = replace((unsigned)i % LOOP_LIVE, bytes);
        memory[0] = 1;
    }
    return (clock_ns() - start) / steps;
}

static inline __attribute__((always_inline)) void loop_measure(loop_replace *replace)
{
    static const size_t sizes[] = {64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double samples[LOOP_SAMPLES];
        char name[32];
        int steps = sizes[i] >= LOOP_LARGE ? LOOP_STEPS_LARGE : LOOP_STEPS;
        (void)loop_sample(sizes[i], steps, replace);
        for (int s = 0; s < LOOP_SAMPLES; s++) {
            samples[s] = loop_sample(sizes[i], steps, replace);
        }
        values_sort(samples, LOOP_SAMPLES);
        (void)snprintf(name, sizeof name, "ns_%zu", sizes[i]);
        figure_print(name, values_quantile(samples, LOOP_SAMPLES, 0.5));
    }
}
