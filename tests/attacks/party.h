/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of one broker, each on a raw connection of its own: the attacker, who keeps every descriptor that it is lent,
 * and the honest ones, who must be served whatever that one does. An honest user waits for an answer for at most
 * PARTY_PATIENCE_S, after which a broker counts as stuck; nothing is measured.
 */
#pragma once

#include "tests/integration/fixture.h"

enum { MALLORY = 4001, ALICE = 4002, PARTY_PATIENCE_S = 10, PARTY_LEASES_MAX = 64 };

struct party {
    uid_t uid;
    int socket, control; /* the connection, and the control page that came with the welcome */
    uint64_t lease[PARTY_LEASES_MAX];
    int segment[PARTY_LEASES_MAX];
    size_t leases;
};

/* Skips the test if we are not root, or the kernel has no FUSE for MALLORY. */
void party_needs_fuse(void);

/* The same, and else starts a daemon that lets all in. */
void party_begin(struct fixture *fixture, const char *settings);

/* Connects as this user and opens a session. */
struct party party_join(const struct fixture *fixture, uid_t uid);
void party_leave(struct party *party);

/* A lease that the party keeps the descriptor of. False: no answer, or a refusal. */
bool party_acquire(struct party *party, uint64_t bytes, enum location location, bool prefault);
bool party_try(struct party *party, const struct acquire_request *acquire, struct reply *ret);

/* Asks for a lease's end without waiting for an answer; and with one. */
void party_send_release(struct party *party, uint64_t lease);
bool party_release(struct party *party, uint64_t lease);
bool party_ping(struct party *party);

struct status_reply party_status(struct party *party);

/* Acquires and releases a few of each kind, and pings. Fails the test if anything is not answered. */
void party_works(struct party *party);
