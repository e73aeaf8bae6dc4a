/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small objects, and the boards that have them. An object is a copy of what a client put under a name. The objects of a
 * user are in boards, one for each class of its sessions: a board has an account of its own below that class and that
 * user. proto/base/board.h says how a board looks in memory. This table is the truth of it, and nothing is read back.
 *
 * A board grows by parts, which are charged before they are made, and shrinks only as a whole: when it has been empty
 * for a while it ends, and each part stays charged until no process has it mapped any more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/identity.h"
#include "daemon/core/principal.h"
#include "daemon/core/space.h"
#include "proto/base/board.h"
#include "proto/base/tree.h"

struct board;
struct session;

struct object {
    uint32_t owner; /* uid */
    char name[MESSAGE_NAME_SIZE];
    struct session *session; /* with which it ends; NULL: it is kept */
    enum block_access access;
    uint32_t gid;
    uint32_t bytes;
    struct board *board;
    struct span *span;
    struct board_bucket bucket;
    uint32_t slot;                  /* of the bucket's block: leads to it, or (the bucket's last one) to its chain */
    struct object *next, *previous; /* in that chain */
    RB_ENTRY(object) by_name;
    TAILQ_ENTRY(object) in_session;
    LIST_ENTRY(object) in_board;
};

RB_HEAD(object_tree, object);
LIST_HEAD(object_list, object);

/* Buckets that are made together. */
struct bucket_block {
    struct span *span;
    struct object *first[BOARD_SLOTS_IN_BLOCK]; /* of each slot */
};

struct board_part {
    struct charge charge; /* of nothing: it is freed */
    struct span *first;
};

struct board {
    uint64_t id;
    uint32_t owner;      /* uid */
    struct share *share; /* referenced */
    struct account account;
    void *handle; /* the shell's; NULL: no part was made yet */
    uint64_t key; /* of the hash */
    uint32_t part_count;
    bool is_growing; /* the part after these is charged, and being made */
    bool has_ended;
    uint32_t parts_left; /* once it has ended: those that are not freed yet */
    struct board_part parts[BOARD_PARTS_MAX];
    struct space space;
    struct bucket_block *blocks[BOARD_BLOCKS]; /* NULL: not made yet */
    struct object_list objects;
    uint64_t object_count, object_bytes;
    uint64_t group_count, all_count, kept_count; /* of the objects: with that access, and that are kept */
    uint64_t idle_since;                         /* service clock; while it is in the list of those without an object */
    bool is_idle;
    TAILQ_ENTRY(board) in_table, in_idle;
    TAILQ_ENTRY(board) in_share; /* unless it has ended */
};

TAILQ_HEAD(board_list, board);

struct board_table {
    struct board_list boards; /* those included that have ended */
    struct board_list idle;   /* without an object, the one that has been so for the longest time first */
    struct object_tree by_name;
    struct object_figures figures; /* but for the gets, which the core does not see */
};

struct broker;
struct input;
struct step;
struct input_board;

/* ---- boards ---- */

void board_table_init(struct board_table *table);
void board_table_deinit(struct broker *broker);

/* That of this user under this share, made if there is none; NULL: memory is short. */
struct board *board_get(struct broker *broker, uint32_t owner, struct share *share);
struct board *board_find(const struct board_table *table, uint64_t id);

/* Charges another part and has it made. False after an answer. */
bool board_grow(struct step *step, struct session *session, struct board *board, uint64_t request_id);

/* It was made, or (error) it was not. */
void board_grown(struct step *step, const struct input_board *grown);

/* No process has that part of an ended one any more. */
void board_freed(struct step *step, const struct input_board *freed);

/* It is charged under another share from now on, whose reference it takes. */
void board_join(struct broker *broker, struct board *board, struct share *share);

/* Takes the objects of reservations that were given up, as many as a step may; and whether there are any. */
void board_take_back(struct step *step);
bool board_has_to_take_back(const struct broker *broker);

/* Ends those that have been empty for long. */
void board_work(struct step *step);
uint64_t board_next_wakeup(const struct broker *broker);

/* ---- objects ---- */

struct object *object_find(const struct board_table *table, uint32_t owner, const char *name);

/* OBJECT_NO_ROOM: the board must grow first. OBJECT_NO_MEMORY: for this table. */
enum object_result { OBJECT_PUT, OBJECT_NO_ROOM, OBJECT_NO_MEMORY };

/* Puts what is asked for into the board, in the place of `before`, NULL: there is none of that name. */
enum object_result object_put(struct step *step, struct session *session, struct board *board, struct object *before,
                              const struct put_request *asked);

void object_remove(struct step *step, struct object *object);

/* One of those that end with the session. False: there is none. */
bool object_remove_one_of(struct step *step, struct session *session);

/* ---- requests ---- */

/* Without an answer if the board must grow first: then the shell asks again when that is done. */
void put_request(struct step *step, struct session *session, const struct request *request);
void put_remove(struct step *step, const struct input *input);
