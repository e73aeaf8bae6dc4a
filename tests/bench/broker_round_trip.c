/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program pays the broker for borrowing 1 MiB: acquire, map and release, without touching it and with a byte of
 * each page written; the same with the library's cache of released leases, whose pages are zeroed each time; and for a
 * bare round trip. Fails if the pool served any of it: that is pool_round_trip's to measure.
 */
#include <membroker.h>
#include <stdbool.h>

#include "tests/bench/measure.h"

enum { SEGMENT_BYTES = 1 << 20 };

static void ping(void *client)
{
    if (mb_ping(client) < 0)
        measure_fail("mb_ping", mb_last_error());
}

static void borrow_and(void *client, bool touch)
{
    mb_lease *lease;
    void *memory;
    uint64_t bytes;
    if (mb_acquire(client, SEGMENT_BYTES, NULL, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    if (mb_map(lease, 0, &memory, &bytes) < 0)
        measure_fail("mb_map", mb_last_error());
    if (touch)
        pages_write(memory, SEGMENT_BYTES);
    if (mb_lease_charge(lease) == MB_CHARGE_BROKER)
        measure_fail("borrow", "the broker's pool served it");
    if (mb_release(lease) < 0)
        measure_fail("mb_release", mb_last_error());
}

static void borrow(void *client)
{
    borrow_and(client, false);
}

static void borrow_touched(void *client)
{
    borrow_and(client, true);
}

int main(void)
{
    mb_client *client;
    if (mb_connect(NULL, &client) < 0)
        measure_fail("mb_connect", mb_last_error());
    rounds_measure("ping", ping, client);
    rounds_measure("borrow", borrow, client);
    rounds_measure("borrow_touched", borrow_touched, client);
    mb_disconnect(client);
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.cache_bytes = 4 * SEGMENT_BYTES;
    if (mb_connect(&options, &client) < 0)
        measure_fail("mb_connect", mb_last_error());
    rounds_measure("borrow_cached", borrow, client);
    rounds_measure("borrow_cached_touched", borrow_touched, client);
    mb_disconnect(client);
    return 0;
}
