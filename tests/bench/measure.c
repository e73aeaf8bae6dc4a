/* SPDX-License-Identifier: Apache-2.0 */
/* What the measuring programs share: order statistics, one line a figure, and failing loudly. */
#include "tests/bench/measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3000, WARM_UP = 200, NAME_SIZE = 64 };

static int values_compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void pages_write(char *memory, size_t bytes)
{
    enum { PAGE = 4096 };
    volatile char *written = memory;
    for (size_t at = 0; at < bytes; at += PAGE)
        written[at] = 1;
}

void values_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, values_compare);
}

double values_quantile(const double *values, size_t count, double share)
{
    size_t at = (size_t)((double)count * share);
    return values[at < count ? at : count - 1];
}

void figure_print(const char *name, double value)
{
    printf("%s %.3f\n", name, value);
}

void rounds_measure(const char *name, void (*verb)(void *context), void *context)
{
    static double took[ROUNDS];
    char worst[NAME_SIZE];
    for (int i = 0; i < WARM_UP; i++)
        verb(context);
    for (int i = 0; i < ROUNDS; i++) {
        double start = clock_us();
        verb(context);
        took[i] = clock_us() - start;
    }
    values_sort(took, ROUNDS);
    figure_print(name, values_quantile(took, ROUNDS, 0.5));
    snprintf(worst, sizeof worst, "%s_p99", name);
    figure_print(worst, values_quantile(took, ROUNDS, 0.99));
}

void measure_fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(1);
}

void measure_fail_errno(const char *what)
{
    measure_fail(what, strerror(errno));
}
