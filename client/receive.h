/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the socket. A thread that waits for an answer reads it itself, one thread at a time, so that an answer costs
 * no switch between threads. While no thread waits, the background thread reads, or the program that dispatches.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"
#include "proto/codec.h"
#include "proto/transport.h"

struct receiver {
    struct codec_arena *arena;
    uint8_t packet[FRAME_BYTES_MAX]; /* used by the thread that reads, without the lock */
};

/* Returns 0 or -ENOMEM. */
int receive_init(struct receiver *receiver);
void receive_close(struct receiver *receiver);

/*
 * Reads one packet and acts on it. False: there was none, or the link broke. The client's lock is held; with `wait` it
 * is given up while the thread reads.
 */
bool receive_one(mb_client *client, bool wait);
