/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a status request takes while the daemon gives gigabytes back to the kernel: a lease of BYTES is touched and
 * released, and status is asked again and again until it shows that nothing is being freed any more.
 * Usage: status_while_freeing BYTES
 */
#include <membroker.h>
#include <stdint.h>
#include <stdlib.h>

#include "client/ctl/monitor.h"
#include "tests/bench/measure.h"

enum { ANSWERS_MAX = 200000 };

static mb_lease *touched_lease(mb_client *client, uint64_t bytes)
{
    mb_lease *lease;
    void *address;
    if (mb_acquire(client, bytes, NULL, &lease) < 0 || mb_map(lease, 0, &address, NULL) < 0) {
        measure_fail("acquire", mb_last_error());
    }
    for (uint64_t at = 0; at < bytes; at += 4096) {
        ((volatile char *)address)[at] = 1;
    }
    return lease;
}

int main(int argc, char **argv)
{
    static double took[ANSWERS_MAX];
    struct request status = {.kind = REQUEST_STATUS};
    const struct reply *reply;
    struct monitor *monitor;
    mb_client *client;
    size_t count = 0;
    uint64_t bytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (bytes == 0) {
        measure_fail("status_while_freeing", "it takes a number of bytes");
    }
    if (mb_connect(NULL, &client) < 0 || monitor_open(NULL, MONITOR_TIMEOUT_MS, &monitor) < 0) {
        measure_fail("connect", mb_last_error());
    }
    mb_lease *lease = touched_lease(client, bytes);
    uint64_t number = mb_lease_id(lease);
    struct request revoke = {.kind = REQUEST_REVOKE, .revoke_lease = number};
    double start = clock_ms();
    if (monitor_call(monitor, &revoke, MONITOR_TIMEOUT_MS, &reply) <
        0) { /* the pages go though they are still mapped here */
        measure_fail("revoke", mb_last_error());
    }
    do {
        double before = clock_us();
        if (monitor_call(monitor, &status, MONITOR_TIMEOUT_MS, &reply) < 0) {
            measure_fail("status", mb_last_error());
        }
        took[count++] = clock_us() - before;
    } while (reply->status.freeing_bytes && count < ANSWERS_MAX);
    figure_print("freed_ms", clock_ms() - start);
    values_sort(took, count);
    figure_print("answers", (double)count);
    figure_print("status_median_us", values_quantile(took, count, 0.5));
    figure_print("status_p99_us", values_quantile(took, count, 0.99));
    figure_print("status_longest_us", took[count - 1]);
    (void)mb_release(lease);
    mb_disconnect(client);
    monitor_close(monitor);
    return 0;
}
