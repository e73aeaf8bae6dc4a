/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The users who call, each with what all its connections together have of the daemon: its time (scheduler.c), and
 * memory and descriptors for what it does not read (outbox.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;
TAILQ_HEAD(ready_list, connection);

struct user_load {
    LIST_ENTRY(user_load) in_list;
    TAILQ_ENTRY(user_load) in_turn; /* while a connection is ready */
    uint32_t uid;
    uint32_t connections;    /* also those that are over but for what the user has not read */
    uint32_t messages;       /* read since they were counted last */
    int64_t credit_ns;       /* of the loop's time; negative: others go first */
    struct ready_list ready; /* connections with something to read or write, in the order in which they are served */
    uint64_t queued_bytes;   /* of frames that could not be sent yet */
    uint32_t queued_descriptors; /* copies that travel with those */
    uint32_t unread_descriptors; /* sent and, as far as we know, not received */
    bool has_received;           /* all of some connection's, once */
};

LIST_HEAD(user_load_list, user_load);
TAILQ_HEAD(user_load_queue, user_load);

/* One connection more of this user; NULL when memory is short. */
struct user_load *user_loads_add(struct user_load_list *user_loads, uint32_t uid);

/* One connection less. The caller may be serving the user now, so the user is forgotten later. */
void user_loads_remove(struct user_load *load);

/* In each turn: forgets users without a connection. A user that has used more time than its share is remembered until
 * user_loads_maintain(), so that connecting again does not clear its debt. */
void user_loads_forget(struct user_load_list *user_loads);

/* Each second: starts counting messages from 0, and cancels debts of time. */
void user_loads_maintain(struct user_load_list *user_loads);
