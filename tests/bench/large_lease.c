/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1 GiB, in milliseconds: from the release until the broker's ledger has the bytes back, beside a bare ftruncate() of a
 * memfd; and a grant with every page made, beside MADV_POPULATE_WRITE of a memfd by as many threads as there are
 * processors. They take turns.
 */
#include <membroker.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/ctl/monitor.h"
#include "tests/bench/measure.h"
#include "tests/bench/pool_status.h"

enum { ROUNDS = 3, THREADS_MAX = 64, PAUSE_US = 200 };

static const size_t bytes = (size_t)1 << 30;
static mb_client *client;
static struct monitor *monitor;

struct part {
    pthread_t thread;
    char *from;
    size_t bytes;
};

static void *populate_part(void *argument)
{
    struct part *part = argument;
    if (madvise(part->from, part->bytes, MADV_POPULATE_WRITE) < 0)
        measure_fail_errno("MADV_POPULATE_WRITE");
    return NULL;
}

static void populate(char *memory)
{
    struct part parts[THREADS_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = processors < THREADS_MAX ? (size_t)processors : THREADS_MAX;
    for (size_t i = 0; i < count; i++) {
        parts[i] = (struct part){.from = memory + bytes / count * i, .bytes = bytes / count};
        if (pthread_create(&parts[i].thread, NULL, populate_part, &parts[i]) != 0)
            measure_fail("populate", "no thread");
    }
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(parts[i].thread, NULL);
}

static void await_freed(void)
{
    struct status_reply status;
    while (status = pool_status(monitor), status.used_bytes != 0 || status.freeing_bytes != 0)
        (void)usleep(PAUSE_US);
}

static void measure_kernel(double *ret_populate, double *ret_truncate)
{
    int fd = memfd_create("large", MFD_CLOEXEC);
    double begun = clock_ms();
    char *memory = fd < 0 || ftruncate(fd, (off_t)bytes) < 0
                       ? MAP_FAILED
                       : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("memfd");
    populate(memory);
    *ret_populate = clock_ms() - begun;
    (void)munmap(memory, bytes);
    begun = clock_ms();
    if (ftruncate(fd, 0) < 0)
        measure_fail_errno("ftruncate");
    *ret_truncate = clock_ms() - begun;
    (void)close(fd);
}

static void measure_broker(double *ret_grant, double *ret_release)
{
    mb_lease *lease;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.prefault = 1;
    double begun = clock_ms();
    if (mb_acquire(client, bytes, &options, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    *ret_grant = clock_ms() - begun;
    if (mb_lease_charge(lease) != MB_CHARGE_BROKER)
        measure_fail("large_lease", "the broker did not make the pages");
    begun = clock_ms();
    (void)mb_release(lease);
    await_freed();
    *ret_release = clock_ms() - begun;
}

static void print_median(const char *name, double *values)
{
    values_sort(values, ROUNDS);
    figure_print(name, values_quantile(values, ROUNDS, 0.5));
}

int main(void)
{
    double grant[ROUNDS], release[ROUNDS], populated[ROUNDS], truncated[ROUNDS];
    if (mb_connect(NULL, &client) < 0 || monitor_open(NULL, MONITOR_TIMEOUT_MS, &monitor) < 0)
        measure_fail("connect", mb_last_error());
    await_freed();
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 2 == 0)
            measure_broker(&grant[round], &release[round]);
        measure_kernel(&populated[round], &truncated[round]);
        if (round % 2 == 1)
            measure_broker(&grant[round], &release[round]);
    }
    print_median("prefaulted_grant", grant);
    print_median("release", release);
    print_median("populate", populated);
    print_median("truncate", truncated);
    mb_disconnect(client);
    monitor_close(monitor);
    return 0;
}
