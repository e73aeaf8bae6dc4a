/* SPDX-License-Identifier: Apache-2.0 */
/* The pool fills while the machine has nothing better to do. */
#include "tests/bench/pool_status.h"

#include <membroker.h>
#include <time.h>

#include "tests/bench/measure.h"

enum { TRIES = 1500 };

struct status_reply pool_status(struct monitor *monitor)
{
    const struct reply *reply;
    struct request status = {.kind = REQUEST_STATUS};
    if (monitor_call(monitor, &status, MONITOR_TIMEOUT_MS, &reply) < 0)
        measure_fail("status", mb_last_error());
    return reply->status;
}

void pool_await(struct monitor *monitor, uint64_t bytes)
{
    struct timespec pause = {.tv_nsec = 20000000};
    for (int i = 0; i < TRIES; i++) {
        struct status_reply status = pool_status(monitor);
        if (status.pooled_bytes >= bytes && status.freeing_bytes == 0)
            return;
        (void)nanosleep(&pause, NULL);
    }
    measure_fail("pool", "it does not fill");
}
