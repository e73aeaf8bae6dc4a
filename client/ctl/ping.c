/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl ping: round trips to the broker, one after the other, on a connection that is open already. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "proto/base/size.h"

enum { COUNT_MAX = 1000000 };

static uint64_t nanoseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static int parse(int argc, char **argv, size_t *count)
{
    static const struct option options[] = {{"count", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    int letter;
    optind = 0;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":c:", options, NULL)) >= 0) {
        char *end;
        if (letter != 'c') {
            return ctl_usage(letter == ':' ? "%s needs a value" : "ping has no option %s", argv[optind - 1]);
        }
        errno = 0;
        unsigned long number = strtoul(optarg, &end, 10);
        if (*optarg < '0' || *optarg > '9' || *end || errno || number < 1 || number > COUNT_MAX) {
            return ctl_usage("--count `%s`: a number from 1 to %d is expected", optarg, COUNT_MAX);
        }
        *count = number;
    }
    return optind == argc ? CTL_DONE : ctl_usage("ping does not take `%s`", argv[optind]);
}

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

/* `times` are in the order of asking; sorts them for the figures, once the array has been made of them. */
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

int ping_main(const struct ctl_options *options, int argc, char **argv)
{
    size_t count = 1;
    struct request request = {.kind = REQUEST_PING};
    const struct reply *reply;
    int result = parse(argc, argv, &count);
    if (result != CTL_DONE) {
        return result;
    }
    double *times = calloc(count, sizeof *times);
    if (!times) {
        return ctl_fail(-ENOMEM, "out of memory; ask for fewer round trips");
    }
    result = ctl_ask(options, &request, &reply); /* connects, and is not counted */
    for (size_t i = 0; result == CTL_DONE && i < count; i++) {
        uint64_t start = nanoseconds();
        result = ctl_ask(options, &request, &reply);
        times[i] = (double)(nanoseconds() - start) / 1000; /* microseconds */
    }
    if (result == CTL_DONE) {
        result = report(options, times, count);
    }
    free(times);
    return result;
}
