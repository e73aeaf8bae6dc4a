/* SPDX-License-Identifier: Apache-2.0 */
/* What the program asked for when it connected. */
#pragma once

#include <stdint.h>

#include "membroker.h"

struct client_options {
    unsigned flags; /* MB_CLIENT_... */
    uint32_t timeout_ms;
    void (*on_event)(const mb_event *event, void *user_data);
    void (*on_reclaim)(const mb_reclaim *reclaim, void *user_data);
    void *user_data; /* of both */
    uint32_t max_retries, retry_wait_ms, wait_ms;
    uint64_t cache_bytes;
};

/* Checks the options, and sets the client's, its hello and its address. Returns 0, or -EINVAL with the sentence set. */
int client_options_take(mb_client *client, const mb_client_options *options);
