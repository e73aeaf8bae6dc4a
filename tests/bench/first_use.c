/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first use of BYTES costs, by the way they are got, in milliseconds: from the broker's warm pool, by mmap, by
 * malloc, and as a fresh memfd. From asking until one byte of each page is written. The ways are taken in turn, and in
 * in each round another one is first: the first may have to pay for pages that the machine itself had to get. A first
 * round is not counted; the others' medians are printed. Usage: first_use BYTES
 */
#include <membroker.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/bench/measure.h"
#include "tests/bench/pool_status.h"

enum { WAYS = 4, ROUNDS = WAYS + 1 /* the first is not counted */ };

static size_t bytes;
static mb_client *client;
static int misses;

static double use_mapping(int fd, int flags)
{
    double begun = clock_ms();
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    pages_write(memory, bytes);
    double took = clock_ms() - begun;
    (void)munmap(memory, bytes);
    return took;
}

static double use_mmap(void)
{
    return use_mapping(-1, MAP_PRIVATE | MAP_ANONYMOUS);
}

static double use_memfd(void)
{
    double begun = clock_ms();
    cleanup(fd_closep) int fd = memfd_create("first_use", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
        measure_fail_errno("memfd");
    double made = clock_ms() - begun;
    return made + use_mapping(fd, MAP_SHARED);
}

static double use_malloc(void)
{
    double begun = clock_ms();
    char *memory = malloc(bytes);
    if (!memory)
        measure_fail_errno("malloc");
    pages_write(memory, bytes);
    double took = clock_ms() - begun;
    free(memory);
    return took;
}

static double use_pool(void)
{
    mb_lease *lease;
    void *memory;
    double begun = clock_ms();
    if (mb_acquire(client, bytes, NULL, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    if (mb_map(lease, 0, &memory, NULL) < 0)
        measure_fail("mb_map", mb_last_error());
    pages_write(memory, bytes);
    double took = clock_ms() - begun;
    misses += mb_lease_charge(lease) != MB_CHARGE_BROKER;
    (void)mb_release(lease);
    return took;
}

static const struct {
    const char *name;
    double (*use)(void);
} ways[WAYS] = {{"pool", use_pool}, {"malloc", use_malloc}, {"mmap", use_mmap}, {"memfd", use_memfd}};

int main(int argc, char **argv)
{
    struct monitor *monitor;
    double took[WAYS][ROUNDS - 1];
    bytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (bytes == 0)
        measure_fail("first_use", "it takes a number of bytes");
    if (mb_connect(NULL, &client) < 0 || monitor_open(NULL, MONITOR_TIMEOUT_MS, &monitor) < 0)
        measure_fail("connect", mb_last_error());
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WAYS; i++) {
            int way = (round + i) % WAYS;
            pool_await(monitor, bytes); /* for the next one: nothing else runs */
            double milliseconds = ways[way].use();
            if (round > 0)
                took[way][round - 1] = milliseconds;
        }
    }
    for (int way = 0; way < WAYS; way++) {
        values_sort(took[way], ROUNDS - 1);
        figure_print(ways[way].name, values_quantile(took[way], ROUNDS - 1, 0.5));
    }
    figure_print("pool_hits", ROUNDS - misses);
    if (misses)
        measure_fail("first_use", "not every lease came from the pool: this is not the pool's price");
    mb_disconnect(client);
    monitor_close(monitor);
    return 0;
}
