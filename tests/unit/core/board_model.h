/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of boards as the core's tests have it: what the effects say is written there, and read as a client does.
 */
#pragma once

#include "daemon/core/effect.h"
#include "daemon/core/input.h"
#include "proto/base/board.h"

enum { MODEL_BOARDS = 32 };

struct model_board {
    uint64_t id; /* 0: there is none */
    uint32_t user;
    bool has_ended;
    uint32_t count; /* of parts */
    uint64_t key;
    uint8_t *parts[BOARD_PARTS_MAX];
};

struct board_model {
    struct model_board boards[MODEL_BOARDS];
    bool has_grown; /* the result is to be reported */
    struct input_board grown;
    int fail_error; /* what growing fails with; 0: it does not */
    uint64_t key;   /* of boards that are made from now on */
    uint64_t bytes;
};

void board_model_grow(struct board_model *boards, const struct effect_board_grow *grow);
void board_model_write(struct board_model *boards, const struct effect_board_write *write);
void board_model_end(struct board_model *boards, const struct effect_board_end *end);

/* A part of a board that has ended is freed, the last one first. False: there is none. */
bool board_model_free_one(struct board_model *boards, struct input_board *ret);

/* All memory is gone. */
void board_model_clear(struct board_model *boards);

/* What a process of that user reads: the object's bytes, or negative: no board has it. */
int board_model_read(const struct board_model *boards, uint32_t user, const char *name, void *buffer, size_t size);
