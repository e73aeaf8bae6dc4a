/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boards that this process has mapped, to read objects without asking the broker. What is read counts only while
 * the connection is the one on which the board was opened: a broker that was killed leaves its boards as they were.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"
#include "proto/base/board.h"

enum { BOARDS_MAX = 8 /* of the client's user: one for each class */ };

struct board_mapping {
    uint64_t id; /* 0: there is none */
    uint64_t connection;
    struct board_view view;
};

struct boards {
    pthread_rwlock_t lock; /* for reading while a thread looks into mappings */
    struct board_mapping mappings[BOARDS_MAX];
};

void boards_init(struct boards *boards);
void boards_close(struct boards *boards);

/* As board_read(), of all boards that are mapped; BOARD_ENDED: none has it, and one has ended. Any thread, without the
 * client's lock. */
enum board_answer boards_read(mb_client *client, const struct board_name *name, void *buffer, size_t size,
                              size_t *ret_bytes);

/* Lets go of those that have ended. */
void boards_drop_ended(mb_client *client);

/*
 * Maps what is missing of that board. What can't be mapped is asked for at the
 * next reading. Talks to the broker.
 */
void boards_open(mb_client *client, uint64_t id);
