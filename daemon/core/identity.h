/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a connection, as the kernel says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct identity {
    int32_t pid; /* 0 where the kernel can't tell (another pid namespace) */
    uint32_t uid, gid;
};
