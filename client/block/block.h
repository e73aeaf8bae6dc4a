/* SPDX-License-Identifier: Apache-2.0 */
/* Published blocks in this process. Each object is freed with its lease. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/calls.h"
#include "membroker.h"
#include "proto/message.h"

struct mb_block {
    mb_lease *lease;
    void *address;
    uint64_t bytes;
    struct publish_request terms; /* metadata.data is the array below */
    bool is_publishing;           /* a thread does; the client's lock */
    bool is_published;            /* the client's lock */
    uint8_t metadata[];
};

struct mb_view {
    mb_lease *lease;
    const void *address;
    uint64_t bytes;
    struct attached attached; /* the last one: its array is cut off */
};

/* Returns 0, or -EINVAL with the sentence set. */
int block_check_name(const char *name);
