/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program saves that gets its own released memory back with undefined content: acquire, map, write a byte of
 * each page and release, beside a new lease each time. The two take turns. Each lease is looked at, whether it is the
 * one that was released: with fewer than 95 of 100 hits this fails, and so it does if a hit made pages, or if the
 * broker's pool served any lease. It would have measured something else.
 */
#include <membroker.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "tests/bench/measure.h"

enum { SMALL_BYTES = 1 << 20, LARGE_BYTES = 16 << 20, SMALL_ROUNDS = 2000, LARGE_ROUNDS = 40, LEAST_PER_CENT = 95 };

static mb_client *client;

static double borrow(size_t bytes, unsigned flags, uint64_t *ret_lease)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *memory;
    options.flags = flags;
    double begun = clock_us();
    if (mb_acquire(client, bytes, &options, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    if (mb_map(lease, 0, &memory, NULL) < 0)
        measure_fail("mb_map", mb_last_error());
    pages_write(memory, bytes);
    *ret_lease = mb_lease_id(lease);
    bool is_pooled = mb_lease_charge(lease) == MB_CHARGE_BROKER;
    if (mb_release(lease) < 0)
        measure_fail("mb_release", mb_last_error());
    double took = clock_us() - begun;
    if (is_pooled)
        measure_fail("reuse", "the broker's pool served it");
    return took;
}

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
}

static void measure(size_t bytes, int rounds, const char *fresh_name, const char *reused_name)
{
    static double fresh[SMALL_ROUNDS], reused[SMALL_ROUNDS];
    uint64_t kept, lease;
    long faults = 0;
    int hits = 0;
    (void)borrow(bytes, MB_LEASE_UNDEFINED_CONTENT, &kept);
    for (int i = 0; i < rounds; i++) {
        fresh[i] = borrow(bytes, 0, &lease);
        if (lease == kept)
            measure_fail("reuse", "a new lease was not new");
        long before = page_faults();
        double took = borrow(bytes, MB_LEASE_UNDEFINED_CONTENT, &lease);
        if (lease == kept) {
            reused[hits++] = took;
            faults += page_faults() - before;
        }
        kept = lease;
    }
    if (hits * 100 < LEAST_PER_CENT * rounds)
        measure_fail("reuse", "fewer than 95 % got the released lease back");
    if (faults > rounds)
        measure_fail("reuse", "memory that came back had to be made anew");
    values_sort(fresh, (size_t)rounds);
    values_sort(reused, (size_t)hits);
    figure_print(fresh_name, values_quantile(fresh, (size_t)rounds, 0.5));
    figure_print(reused_name, values_quantile(reused, (size_t)hits, 0.5));
}

int main(void)
{
    if (mb_connect(NULL, &client) < 0)
        measure_fail("mb_connect", mb_last_error());
    measure(SMALL_BYTES, SMALL_ROUNDS, "fresh_1MiB", "reused_1MiB");
    measure(LARGE_BYTES, LARGE_ROUNDS, "fresh_16MiB", "reused_16MiB");
    mb_disconnect(client);
    return 0;
}
