/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the broker: opening it, sending, and what happens when it breaks. The client's lock is held. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "membroker.h"
#include "proto/codec.h"
#include "proto/message.h"
#include "proto/transport.h"

enum link_state {
    LINK_DOWN,     /* not connected; tried again at retry_at */
    LINK_GREETING, /* the hello was sent */
    LINK_UP,
};

struct link {
    struct sockaddr_un address;
    struct hello_request hello;    /* what the program wants, without a session to resume */
    _Atomic enum link_state state; /* the guard reads it without the lock */
    _Atomic int socket;            /* as well */
    _Atomic uint64_t connection;   /* grows when one breaks; likewise */
    bool is_reading;               /* a thread reads the socket without the lock */
    int orphan;                    /* a socket that broke during that; the reading thread closes it */
    int connect_error;             /* of the newest try */
    uint64_t next_id;              /* of a request */
    uint64_t down_since, retry_at; /* ms */
    uint32_t backoff_ms;
    struct codec_arena *arena; /* a small one */
};

/* How long a reader sleeps before it looks at its own deadline; how long a sender waits for a full socket. */
enum { LINK_SLICE_MS = 100 };

/* Returns 0 or -ENOMEM. */
int link_init(struct link *link);
void link_close(struct link *link);

/* Connects and sends the hello. Returns 0 or negative errno. */
int link_open(mb_client *client);

/* Plans the next link_open(), after a pause that grows from one to the next. */
void link_plan_retry(mb_client *client);

/* The connection broke: fails or suspends the calls, and plans a new connection. */
void link_break(mb_client *client);

/* Sends a request. -EAGAIN: the socket is full. On another error the link is down. */
int link_send(mb_client *client, const struct request *request);

/* An id for a request. */
uint64_t link_next_id(mb_client *client);

/* Whether the session and all that is in it can't be expected back. */
bool link_is_hopeless(const mb_client *client, uint64_t now);
