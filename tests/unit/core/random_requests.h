/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers, and random requests that need to know nothing. Each test file has a state of its own. */
#pragma once

#include <stdio.h>

#include "proto/message.h"

static uint64_t state; /* that what follows comes from */

static inline uint64_t random_below(uint64_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}

static inline void random_name(char name[MESSAGE_NAME_SIZE])
{
    (void)snprintf(name, MESSAGE_NAME_SIZE, "%s", random_below(2) ? "a" : "b");
}

/* Sometimes so large that boards grow, and are full. */
static inline struct request random_object_request(void)
{
    static const uint8_t data[MESSAGE_OBJECT_MAX];
    struct request request = {.kind = REQUEST_REMOVE};
    if (random_below(4) == 0) {
        random_name(request.remove.name);
        return request;
    }
    request.kind = REQUEST_PUT;
    request.put = (struct put_request){.data = {data, random_below(random_below(2) ? 100 : sizeof data)},
                                       .lifetime = (enum lifetime)random_below(2),
                                       .access = (enum block_access)random_below(3)};
    random_name(request.put.name);
    return request;
}

static inline struct request random_watch(void)
{
    struct request request = {.kind = REQUEST_WATCH_BLOCKS};
    request.watch_blocks = (struct watch_blocks_request){.has_owner = random_below(4) > 0,
                                                         .owner = 1000 + (uint32_t)random_below(6),
                                                         .after = random_below(8) ? random_below(30) : 0,
                                                         .wait_ms = (uint32_t)random_below(2) * 9000};
    random_name(request.watch_blocks.prefix);
    request.watch_blocks.prefix[0] = random_below(2) ? '\0' : request.watch_blocks.prefix[0];
    return request;
}
