/* SPDX-License-Identifier: Apache-2.0 */
/* Whether processes are left in the control groups of reservations that were given up. If none is, the core is told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct server;

struct survivors {
    bool is_looking;
    uint64_t sum;          /* of the numbers of the reservations that the last look was for */
    uint32_t pause, waits; /* intervals between two looks, and until the next */
};

/* Once in each interval of maintenance. It looks at all processes, on the thread pool; the longer some are left, the
 * more seldom. */
void survivors_look(struct server *server);
