/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program pays the broker for borrowing 1 MiB out of its warm pool: acquire, map and release, without touching
 * it (then it says so with MB_LEASE_SPARSE) and with a byte of each page written. In batches that the pool can serve,
 * which is filled again in between. Every grant is looked at, whether the pool served it: with fewer than 95 of 100
 * hits this fails, since it would have measured something else.
 */
#include <membroker.h>
#include <stdbool.h>

#include "tests/bench/pool_status.h"

#include "tests/bench/measure.h"

enum { SEGMENT_BYTES = 1 << 20, STOCK = 64, BATCH = 32, BATCHES = 20, LEAST_PER_CENT = 95 };

static mb_client *client;
static struct monitor *monitor;
static int hits, misses;

static mb_lease *acquire(unsigned flags)
{
    mb_lease *lease;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.flags = flags;
    if (mb_acquire(client, SEGMENT_BYTES, &options, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    return lease;
}

/* A client that asks for many at the same time makes the pool keep STOCK of them, the most of one size; some come from
 * it already. */
static void teach(void)
{
    mb_lease *leases[2 * STOCK];
    for (int i = 0; i < 2 * STOCK; i++)
        leases[i] = acquire(0);
    for (int i = 0; i < 2 * STOCK; i++)
        (void)mb_release(leases[i]);
}

static double borrow(bool touch)
{
    void *memory;
    double begun = clock_us();
    mb_lease *lease = acquire(touch ? 0 : MB_LEASE_SPARSE);
    if (mb_map(lease, 0, &memory, NULL) < 0)
        measure_fail("mb_map", mb_last_error());
    if (touch)
        pages_write(memory, SEGMENT_BYTES);
    bool is_hit = mb_lease_charge(lease) == MB_CHARGE_BROKER;
    if (mb_release(lease) < 0)
        measure_fail("mb_release", mb_last_error());
    double took = clock_us() - begun;
    *(is_hit ? &hits : &misses) += 1;
    return took;
}

static void measure(const char *name, const char *worst_name, bool touch)
{
    static double took[BATCHES * BATCH];
    for (int batch = 0; batch < BATCHES; batch++) {
        pool_await(monitor, (uint64_t)STOCK * SEGMENT_BYTES);
        for (int i = 0; i < BATCH; i++)
            took[batch * BATCH + i] = borrow(touch);
    }
    values_sort(took, BATCHES * BATCH);
    figure_print(name, values_quantile(took, BATCHES * BATCH, 0.5));
    figure_print(worst_name, values_quantile(took, BATCHES * BATCH, 0.99));
}

int main(void)
{
    if (mb_connect(NULL, &client) < 0 || monitor_open(NULL, MONITOR_TIMEOUT_MS, &monitor) < 0)
        measure_fail("connect", mb_last_error());
    teach();
    measure("borrow", "borrow_p99", false);
    measure("borrow_touched", "borrow_touched_p99", true);
    figure_print("hits", hits);
    figure_print("misses", misses);
    if (hits * 100 < LEAST_PER_CENT * (hits + misses))
        measure_fail("pool_round_trip",
                     "fewer than 95 % of the grants came from the pool: this is not the pool's price");
    mb_disconnect(client);
    monitor_close(monitor);
    return 0;
}
