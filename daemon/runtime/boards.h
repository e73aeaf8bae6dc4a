/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of boards: made, written, and given back. The loop makes no system call on a part that a client has: its
 * pages all exist before it is lent, writing it is a copy, and workers ask whether a process has it still.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "daemon/core/effect.h"
#include "daemon/core/input.h"
#include "daemon/runtime/lanes.h"
#include "proto/base/board.h"

struct server;
struct board_memory;

struct part_memory {
    struct board_memory *board;
    uint32_t number;
    int fd; /* for reading alone */
    uint8_t *address;
    uint64_t bytes;
    bool was_lent;
    bool is_counted; /* the kernel counts who has it */
    bool is_own;     /* the descriptor was opened again since it was lent */
    struct work work;
    TAILQ_ENTRY(part_memory) in_leaving;
};

TAILQ_HEAD(part_queue, part_memory);

struct board_memory {
    uint64_t id;
    uint32_t user; /* who is charged */
    uint64_t sequence;
    uint32_t count; /* of parts; once it has ended, of those that are left */
    struct part_memory *parts[BOARD_PARTS_MAX];
    LIST_ENTRY(board_memory) in_server;
};

struct boards {
    LIST_HEAD(board_memory_list, board_memory) all;
    struct part_queue leaving; /* of those that have ended; that no worker is looking at */
    struct part_queue left;    /* no process has them, and the core is to hear of it */
    uint64_t bytes;
    uint64_t got;    /* objects that clients asked for */
    bool has_result; /* of growing */
    struct input_board result;
    bool has_grown; /* since that was cleared, or tried to */
    int grow_error;
    uv_timer_t timer;
};

static inline struct board_header *board_header_of(const struct board_memory *board)
{
    return (struct board_header *)(void *)board->parts[0]->address;
}

void boards_init(struct boards *boards);
void boards_start(struct server *server);

/* The broker ends: tells all readers. */
void boards_close(struct server *server);

void boards_grow(struct server *server, const struct effect_board_grow *grow);
void board_write(const struct effect_board_write *write);
void boards_end(struct server *server, const struct effect_board_end *end);

/* What the core is to hear next. False: nothing. */
bool boards_take_result(struct boards *boards, struct input *ret);

/* The bytes of an object whose name is so long; and the descriptor of a part, negative: there is none. */
const uint8_t *board_data(const struct board_memory *board, uint32_t position, uint32_t name_bytes);
int board_lend(struct board_memory *board, uint32_t number);
