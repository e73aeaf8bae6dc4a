/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long an acquire takes when 64 clients ask without a pause: each acquires 64 KiB and releases it, for SECONDS. The
 * latencies go to a histogram (GSL's) with bins that grow by 2 %, from 1 us to 10 s; beside it what 64
 * threads pay for the kernel's part of it alone, a memfd of their own, and how much of a processor the broker took
 * meanwhile. Usage: latency SECONDS BROKERS_PROCESS
 */
#include <gsl/gsl_histogram.h>
#include <membroker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/measure.h"
#include "tests/bench/process.h"

enum { CLIENTS = 64, BINS = 815, BYTES = 65536 };

#define FIRST_US 1.0
#define GROWTH   1.02

static atomic_bool ending;

struct caller {
    pthread_t thread;
    mb_client *client; /* NULL: the kernel alone */
    gsl_histogram *latencies;
    double longest;
};

static gsl_histogram *new_histogram(void)
{
    double ranges[BINS + 1] = {FIRST_US};
    gsl_histogram *histogram = gsl_histogram_alloc(BINS);
    for (size_t i = 1; i <= BINS; i++)
        ranges[i] = ranges[i - 1] * GROWTH;
    if (!histogram || gsl_histogram_set_ranges(histogram, ranges, BINS + 1) != 0)
        measure_fail("latency", "no histogram");
    return histogram;
}

static double acquire_once(mb_client *client)
{
    mb_lease *lease;
    double begun = clock_us();
    if (mb_acquire(client, BYTES, NULL, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    double took = clock_us() - begun;
    (void)mb_release(lease);
    return took;
}

static double make_once(void)
{
    double begun = clock_us();
    int fd = memfd_create("latency", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, BYTES) < 0)
        measure_fail_errno("memfd");
    double took = clock_us() - begun;
    (void)close(fd);
    return took;
}

static void *call(void *argument)
{
    struct caller *caller = argument;
    while (!ending) {
        double took = caller->client ? acquire_once(caller->client) : make_once();
        (void)gsl_histogram_increment(caller->latencies, took < FIRST_US ? FIRST_US : took);
        caller->longest = took > caller->longest ? took : caller->longest;
    }
    return NULL;
}

static void print_quantiles(const gsl_histogram *all, const char *const names[3])
{
    static const double shares[] = {0.5, 0.99, 0.999};
    gsl_histogram_pdf *distribution = gsl_histogram_pdf_alloc(BINS);
    if (!distribution || gsl_histogram_pdf_init(distribution, all) != 0)
        measure_fail("latency", "no distribution");
    for (int i = 0; i < 3; i++)
        figure_print(names[i], gsl_histogram_pdf_sample(distribution, shares[i]));
    gsl_histogram_pdf_free(distribution);
}

/* All clients at the same time for so long; returns how many calls there were. */
static double run(struct caller *callers, unsigned seconds, const char *const names[3], const char *longest_name)
{
    gsl_histogram *all = new_histogram();
    double longest = 0, count;
    ending = false;
    for (int i = 0; i < CLIENTS; i++) {
        callers[i].latencies = new_histogram();
        callers[i].longest = 0;
        if (pthread_create(&callers[i].thread, NULL, call, &callers[i]) != 0)
            measure_fail("latency", "no thread");
    }
    (void)sleep(seconds);
    ending = true;
    for (int i = 0; i < CLIENTS; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        (void)gsl_histogram_add(all, callers[i].latencies);
        gsl_histogram_free(callers[i].latencies);
        longest = callers[i].longest > longest ? callers[i].longest : longest;
    }
    count = gsl_histogram_sum(all);
    print_quantiles(all, names);
    figure_print(longest_name, longest);
    gsl_histogram_free(all);
    return count;
}

int main(int argc, char **argv)
{
    static const char *const ours[] = {"acquire_p50_us", "acquire_p99_us", "acquire_p99.9_us"};
    static const char *const kernels[] = {"memfd_p50_us", "memfd_p99_us", "memfd_p99.9_us"};
    static struct caller callers[CLIENTS];
    unsigned seconds = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
    if (seconds == 0)
        measure_fail("latency", "it takes a number of seconds, and the broker's process");
    double count = run(callers, seconds, kernels, "memfd_longest_us");
    for (int i = 0; i < CLIENTS; i++) {
        mb_client_options options = MB_CLIENT_OPTIONS_INIT;
        options.flags = MB_CLIENT_NO_THREAD;
        if (mb_connect(&options, &callers[i].client) < 0)
            measure_fail("mb_connect", mb_last_error());
    }
    double before = process_processor_us(argv[2]), begun = clock_ms();
    count = run(callers, seconds, ours, "acquire_longest_us");
    double elapsed = (clock_ms() - begun) / 1000;
    figure_print("acquires_a_second", count / elapsed);
    figure_print("broker_cpu_percent", 100 * (process_processor_us(argv[2]) - before) / 1e6 / elapsed);
    for (int i = 0; i < CLIENTS; i++)
        mb_disconnect(callers[i].client);
    return 0;
}
