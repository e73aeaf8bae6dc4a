/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's insides, for the files that move its bytes (tests/lint/check-sources has the list). */
#pragma once

#include <uv.h>

#include "daemon/runtime/outbox.h"

struct connection {
    struct server *server;
    struct peer *peer;
    struct user_load *load;
    int fd;
    uint32_t references; /* until it is torn down the server has one */
    bool is_ended;       /* to be torn down by the reaper; nothing is read or sent any more */
    bool is_ready;       /* stands in its user's list of ready connections */
    bool is_paused;      /* not polled: it stands in that list for longer than a turn */
    bool may_bring;      /* descriptors that are not wanted: the kernel does not refuse them */
    bool is_resting;     /* it, or its user, has sent more than they may in a second: the rest is read in the next */
    uint64_t opened_at;  /* monotonic */
    uint32_t messages;   /* read since they were counted last */
    uv_poll_t poll;
    struct outbox outbox;
    LIST_ENTRY(connection) in_server, in_ended;
    TAILQ_ENTRY(connection) in_held, in_unreceived;
    TAILQ_ENTRY(connection) in_ready;
};

/* Polls for what it waits for now, if it has not ended. */
void connection_listen(struct connection *connection);
