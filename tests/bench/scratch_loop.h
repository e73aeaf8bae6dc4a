/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop that a compute program runs on its scratch memory, the same for every way of getting it.
 *
 * An iteration makes SCRATCH_COUNT allocations, log-uniform in 256 B to 4 MiB and the same sequence every
 * time, writes to each, and gives all of them back. "Touched" writes one byte to each page of an
 * allocation, as a program that uses its memory does; "untouched" writes one byte to each allocation, so
 * that little but the price of allocating is left.
 *
 * The loop is inlined into each program with its own three verbs, so that the bare bump pointer is really
 * bare: a call through a pointer would cost more than the bump. Between two allocations stands a barrier for the
 * compiler, as the work of a real loop would: an arena's state is in memory there, not in a register of this
 * loop, and the pointers are really kept.
 */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/bench/measure.h"

#define SCRATCH_INLINE static inline __attribute__((always_inline))

/* How the allocation itself gets into the loop. */
#ifdef SCRATCH_CALLED
#define SCRATCH_ALLOCATOR static __attribute__((noinline))
#else
#define SCRATCH_ALLOCATOR SCRATCH_INLINE
#endif

enum {
    SCRATCH_COUNT = 200,
    SCRATCH_SAMPLES = 9,
    SCRATCH_WARM_UP = 10,        /* iterations before the first sample: a malloc has to learn its caches */
    SCRATCH_BATCH_MIN = 3,       /* iterations in a sample, at least */
    SCRATCH_SAMPLE_NS = 5000000, /* a sample repeats the iteration for at least this long */
    SCRATCH_PAGE = 4096,
};

struct scratch_sizes {
    size_t bytes[SCRATCH_COUNT]; /* each a multiple of 64 */
    size_t total;
};

typedef void scratch_begin(void);
typedef void *scratch_allocate(size_t bytes);
typedef void scratch_end(void *const *held);

/* Fills in the sequence; a fixed seed makes it the same in every program. */
static inline void scratch_sizes_init(struct scratch_sizes *sizes)
{
    srand48(20);
    sizes->total = 0;
    for (size_t i = 0; i < SCRATCH_COUNT; i++) {
        size_t bytes = (size_t)exp2(8.0 + 14.0 * drand48());
        sizes->bytes[i] = (bytes + 63) & ~(size_t)63;
        sizes->total += sizes->bytes[i];
    }
}

SCRATCH_INLINE void scratch_write(char *memory, size_t bytes, bool touch)
{
    volatile char *written = memory;
    if (!touch) {
        written[0] = 1;
        return;
    }
    for (size_t at = 0; at < bytes; at += SCRATCH_PAGE)
        written[at] = 1;
}

SCRATCH_INLINE double scratch_batch_ns(const struct scratch_sizes *sizes, unsigned batch, bool touch,
                                       scratch_begin *begin, scratch_allocate *allocate, scratch_end *end)
{
    static void *held[SCRATCH_COUNT];
    double start = clock_ns();
    for (unsigned iteration = 0; iteration < batch; iteration++) {
        begin();
        for (size_t i = 0; i < SCRATCH_COUNT; i++) {
            held[i] = allocate(sizes->bytes[i]);
            scratch_write(held[i], sizes->bytes[i], touch);
            __asm__ volatile("" : : "r"(held) : "memory");
        }
        end(held);
    }
    return clock_ns() - start;
}

/* The median nanoseconds of one allocation, its share of the giving back included. */
SCRATCH_INLINE double scratch_median_ns(const struct scratch_sizes *sizes, bool touch, scratch_begin *begin,
                                        scratch_allocate *allocate, scratch_end *end)
{
    double samples[SCRATCH_SAMPLES];
    unsigned batch = SCRATCH_BATCH_MIN;
    (void)scratch_batch_ns(sizes, SCRATCH_WARM_UP, touch, begin, allocate, end);
    while (scratch_batch_ns(sizes, batch, touch, begin, allocate, end) < SCRATCH_SAMPLE_NS)
        batch *= 2;
    for (size_t i = 0; i < SCRATCH_SAMPLES; i++)
        samples[i] = scratch_batch_ns(sizes, batch, touch, begin, allocate, end) / batch / SCRATCH_COUNT;
    values_sort(samples, SCRATCH_SAMPLES);
    return values_quantile(samples, SCRATCH_SAMPLES, 0.5);
}

/* Measures and prints both figures. */
SCRATCH_INLINE void scratch_measure(const struct scratch_sizes *sizes, scratch_begin *begin, scratch_allocate *allocate,
                                    scratch_end *end)
{
    figure_print("touched", scratch_median_ns(sizes, true, begin, allocate, end));
    figure_print("untouched", scratch_median_ns(sizes, false, begin, allocate, end));
}
