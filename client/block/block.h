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

/* A view that another library's object closes, whose end may come after that of the client. */
struct given_view {
    mb_view *view;
    const mb_client *client;
    uint64_t client_serial;
};

struct given_view view_give(mb_view *view);

/* Does nothing if the client has disconnected, which closed it. */
void view_end_given(const struct given_view *given);

/* Each returns 0, or -EINVAL with the sentence set. `what`: such as "metadata". */
int block_check_name(const char *name);
int block_check_group(mb_access access, uint32_t gid);
int block_check_copied(const char *what, const void *bytes, size_t count);
