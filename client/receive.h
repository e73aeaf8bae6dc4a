/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the socket. A thread that waits for an answer reads it itself, one thread at a time, so that an answer costs
 * no switch between threads. While no thread waits, the background thread reads, or the program that dispatches.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/calls.h"
#include "membroker.h"
#include "proto/codec.h"
#include "proto/transport.h"

struct receiver {
    struct codec_arena *arena; /* a small one */
    uint8_t *packet;           /* of FRAME_BYTES_MAX; used by the thread that reads, without the lock */
};

/* Returns 0 or -ENOMEM. */
int receive_init(struct receiver *receiver);
void receive_close(struct receiver *receiver);

/*
 * Waits for a packet, reads it and all that follow it, and acts on them, until `call` is done. The client's lock is
 * held, and given up while the thread waits.
 */
void receive_for(mb_client *client, const struct call *call);

/* Reads what is there and forgets it. No other thread uses the client any more. */
void receive_discard(mb_client *client);

/* Reads what is there, unless another thread reads, and acts on it. The client's lock is held. */
void receive_all(mb_client *client);
