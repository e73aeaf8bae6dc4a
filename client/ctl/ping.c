/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl ping: round trips to the broker, one after the other, on a connection that is open already. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/ctl/ctl.h"
#include "client/ctl/options.h"
#include "client/ctl/print.h"
#include "proto/base/size.h"

enum { COUNT_MAX = 1000000 };

static uint64_t nanoseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static uint32_t asked = 1; /* round trips */

static int take_count(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_number("--count", value, 1, COUNT_MAX, &asked);
}

static const struct ctl_option own_options[] = {
    {"count", 'c', "N", "so many round trips (default 1)", take_count},
};

const struct ctl_option_list ping_options = {own_options, sizeof own_options / sizeof *own_options};

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(const double *sorted, size_t count)
{
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static const char *microseconds_to_text(double microseconds, char *text)
{
    return count_to_text((uint64_t)(microseconds + 0.5), "microsecond", text);
}

/* Prints the times in order, then sorts them for the median. */
static int report(const struct ctl_options *options, double *times, size_t count)
{
    json_t *array = options->json ? json_array() : NULL;
    char text[COUNT_BYTES];
    for (size_t i = 0; array && i < count; i++) {
        (void)json_array_append_new(array, json_real(times[i]));
    }
    qsort(times, count, sizeof *times, ascending);
    if (array) {
        return ctl_print(json_pack("{s:o,s:f,s:f,s:f}", "microseconds", array, "min_microseconds", times[0],
                                   "median_microseconds", median(times, count), "max_microseconds", times[count - 1]),
                         true);
    }
    if (count == 1) {
        printf("the broker answered in %s\n", microseconds_to_text(times[0], text));
    } else {
        printf("the broker answered %zu times, in %s at the median, %.0f at least and %.0f at most\n", count,
               microseconds_to_text(median(times, count), text), times[0], times[count - 1]);
    }
    return CTL_DONE;
}

/* The first question connects, and is not counted. */
static int measure(const struct ctl_options *options, double *times)
{
    struct request request = {.kind = REQUEST_PING};
    const struct reply *reply;
    int result = ctl_ask(options, &request, &reply);
    for (size_t i = 0; result == CTL_DONE && i < asked; i++) {
        uint64_t start = nanoseconds();
        result = ctl_ask(options, &request, &reply);
        times[i] = (double)(nanoseconds() - start) / 1000; /* microseconds */
    }
    return result;
}

int ping_main(const struct ctl_options *options, int argc, char **argv)
{
    if (argc > 1) {
        return ctl_usage("ping does not take `%s`", argv[1]);
    }
    double *times = calloc(asked, sizeof *times);
    if (!times) {
        return ctl_fail(-ENOMEM, "out of memory; ask for fewer round trips");
    }
    int result = measure(options, times);
    if (result == CTL_DONE) {
        result = report(options, times, asked);
    }
    free(times);
    return result;
}
