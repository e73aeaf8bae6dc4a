/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/clock.h"

#include <time.h>

#include "daemon/runtime/server.h"
#include "proto/base/size.h"

uint64_t clock_monotonic(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t clock_now(const struct server *server)
{
    return server->clock.held_at ? server->clock.held_at : service_clock_time(&server->clock, clock_monotonic());
}
