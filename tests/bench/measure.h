/* SPDX-License-Identifier: Apache-2.0 */
/* A clock, the median, and a way out: what every measuring program here needs. */
#pragma once

#include <stddef.h>
#include <time.h>

enum { MONITOR_TIMEOUT_MS = 60000 }; /* a broker that does not answer ends a measurement */

/* The monotonic clock in nanoseconds. */
static inline double clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline double clock_us(void)
{
    return clock_ns() / 1e3;
}

static inline double clock_ms(void)
{
    return clock_ns() / 1e6;
}

/* Writes one byte to each page. */
void pages_write(char *memory, size_t bytes);

/* Sorts the values; the functions below want them sorted. */
void values_sort(double *values, size_t count);

/* The value below which `share` (0 to 1) of the sorted values lie: 0.5 for the median. */
double values_quantile(const double *values, size_t count, double share);

/* One figure for the runner, on a line of its own: "name value". */
void figure_print(const char *name, double value);

/*
 * Calls the verb some thousand times and prints the median microseconds of one call as `name`, and those
 * that one call in a hundred exceeds as `name`_p99.
 */
void rounds_measure(const char *name, void (*verb)(void *context), void *context);

/* Ends the program with status 1 and a line on standard error: what, and the sentence that says why. */
_Noreturn void measure_fail(const char *what, const char *why);

/* The same with errno's sentence. */
_Noreturn void measure_fail_errno(const char *what);
