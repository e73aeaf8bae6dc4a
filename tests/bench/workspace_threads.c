/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cycles of allocations in one, two and eight threads at the same time, each in a learned workspace of its own. Prints
 * "per_us_N": allocations a microsecond of all N threads together, the median of samples taken in turn.
 */
#include <membroker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "tests/bench/measure.h"

enum { THREADS_MAX = 8, ALLOCATIONS = 200, SAMPLES = 15, SAMPLE_NS = 60000000 };

static mb_client *client;
static _Atomic int ready;
static _Atomic bool go, stop;

static void one_cycle(mb_workspace *workspace)
{
    if (mb_workspace_enter(workspace) < 0) {
        measure_fail("mb_workspace_enter", mb_last_error());
    }
    for (size_t i = 0; i < ALLOCATIONS; i++) {
        volatile char *data = mb_workspace_alloc(workspace, 64 + i * 16);
        data[0] = 1;
    }
    (void)mb_workspace_leave(workspace);
}

static void *work(void *argument)
{
    unsigned long *cycles = argument;
    mb_workspace *workspace;
    if (mb_workspace_open(client, "threads", NULL, &workspace) < 0) {
        measure_fail("mb_workspace_open", mb_last_error());
    }
    for (int i = 0; i < 10; i++) {
        one_cycle(workspace); /* the first one learns */
    }
    atomic_fetch_add(&ready, 1);
    while (!atomic_load(&go)) {
    }
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        one_cycle(workspace);
        *cycles += 1;
    }
    mb_workspace_close(workspace);
    return NULL;
}

/* Allocations a microsecond. */
static double sample(int threads)
{
    pthread_t thread[THREADS_MAX];
    struct {
        unsigned long cycles;
        char apart[120]; /* no two counts in one cache line */
    } counts[THREADS_MAX] = {{0}};
    unsigned long sum = 0;
    atomic_store(&ready, 0);
    atomic_store(&go, false);
    atomic_store(&stop, false);
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&thread[i], NULL, work, &counts[i].cycles) != 0) {
            measure_fail_errno("pthread_create");
        }
    }
    while (atomic_load(&ready) < threads) {
    }
    double start = clock_ns();
    atomic_store(&go, true);
    const struct timespec pause = {0, SAMPLE_NS};
    (void)nanosleep(&pause, NULL);
    atomic_store(&stop, true);
    double elapsed = clock_ns() - start;
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(thread[i], NULL);
        sum += counts[i].cycles;
    }
    return (double)sum * ALLOCATIONS / elapsed * 1000;
}

int main(void)
{
    static const int threads[] = {1, 2, 8};
    double samples[3][SAMPLES];
    if (mb_connect(NULL, &client) < 0) {
        measure_fail("mb_connect", mb_last_error());
    }
    for (int s = 0; s < SAMPLES; s++) {
        for (int i = 0; i < 3; i++) {
            samples[i][s] = sample(threads[i]);
        }
    }
    for (int i = 0; i < 3; i++) {
        char name[32];
        values_sort(samples[i], SAMPLES);
        (void)snprintf(name, sizeof name, "per_us_%d", threads[i]);
        figure_print(name, values_quantile(samples[i], SAMPLES, 0.5));
    }
    mb_disconnect(client);
    return 0;
}
