/* SPDX-License-Identifier: Apache-2.0 */
/* The session with the broker, which outlives its connections. The client's lock is held. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"
#include "proto/message.h"

struct session {
    uint64_t id;      /* 0: none yet */
    bool had_another; /* a session before this one was lost */
    bool had_lease;   /* this one, or one before it */
    struct token token;
    struct lease_times times;
    bool leases_survive;      /* a restart of the broker */
    bool is_sealing;          /* the broker seals its segments, as one of this session has shown */
    uint64_t hello_id;        /* the library's own request that waits for an answer; 0: none */
    _Atomic uint64_t list_id; /* the same; the guard reads it without the lock */
    bool owes_list;           /* that request was not sent yet */
    uint64_t list_after;      /* the lease that it begins after */
};

/* Takes the answer to a hello. The session is resumed, or another one begins, or the link breaks. */
void session_take_answer(mb_client *client, const struct reply *reply, int fd);

/* Sends what a resumed session still owes the broker, as far as the socket takes it. */
void session_send_owed(mb_client *client);
bool session_is_owing(const mb_client *client);
