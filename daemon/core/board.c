/* SPDX-License-Identifier: Apache-2.0 */
/* The life of boards: making, growing, ending. */
#include "daemon/core/board.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/answer.h"
#include "daemon/core/board_refusal.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/place.h"
#include "proto/base/size.h"

void board_table_init(struct board_table *table)
{
    TAILQ_INIT(&table->boards);
    TAILQ_INIT(&table->idle);
    RB_INIT(&table->by_name);
}

/* ---- beginning ---- */

struct board *board_find(const struct board_table *table, uint64_t id)
{
    struct board *board;
    TAILQ_FOREACH(board, &table->boards, in_table) {
        if (board->id == id) {
            return board;
        }
    }
    return NULL;
}

static struct board *board_new(struct broker *broker, uint32_t owner, struct share *share)
{
    static const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    struct account *above[ACCOUNT_ABOVE_MAX];
    struct board *board = calloc(1, sizeof *board);
    if (!board) {
        return NULL;
    }
    board->id = broker->next_board++;
    board->owner = owner;
    board->share = share;
    share->references++;
    account_init(&board->account, "board", &none);
    share_accounts(&broker->principals, share, above);
    account_move(&board->account, above);
    space_init(&board->space);
    LIST_INIT(&board->objects);
    TAILQ_INSERT_TAIL(&broker->boards.boards, board, in_table);
    TAILQ_INSERT_TAIL(&share->boards, board, in_share);
    return board;
}

struct board *board_get(struct broker *broker, uint32_t owner, struct share *share)
{
    struct board *board;
    TAILQ_FOREACH(board, &share->boards, in_share) {
        if (board->owner == owner) {
            return board;
        }
    }
    return board_new(broker, owner, share);
}

void board_join(struct broker *broker, struct board *board, struct share *share)
{
    struct account *above[ACCOUNT_ABOVE_MAX];
    struct share *before = board->share;
    share_accounts(&broker->principals, share, above);
    account_move(&board->account, above);
    if (!board->has_ended) {
        TAILQ_REMOVE(&before->boards, board, in_share);
        TAILQ_INSERT_TAIL(&share->boards, board, in_share);
    }
    board->share = share;
    share_leave(&broker->principals, before);
}

/* ---- growing ---- */

static void set_idle(struct step *step, struct board *board)
{
    board->is_idle = true;
    board->idle_since = step->now;
    TAILQ_INSERT_TAIL(&step->broker->boards.idle, board, in_idle);
}

static void board_free(struct broker *broker, struct board *board)
{
    if (!board->has_ended) {
        TAILQ_REMOVE(&board->share->boards, board, in_share);
    }
    if (board->is_idle) {
        TAILQ_REMOVE(&broker->boards.idle, board, in_idle);
    }
    for (uint32_t i = 0; i < BOARD_BLOCKS; i++) {
        free(board->blocks[i]);
    }
    for (uint32_t i = 0; i < BOARD_PARTS_MAX; i++) {
        space_remove_part(&board->space, board->parts[i].first);
    }
    TAILQ_REMOVE(&broker->boards.boards, board, in_table);
    account_deinit(&board->account);
    share_leave(&broker->principals, board->share);
    free(board);
}

static void release_part(struct broker *broker, struct board *board, uint32_t part)
{
    uint64_t bytes = board->parts[part].charge.bytes;
    board->share->user->board_bytes -= bytes;
    broker->boards.figures.board_bytes -= bytes;
    charge_release(&board->parts[part].charge);
}

static bool charge_part(struct step *step, struct session *session, struct board *board, uint64_t request_id)
{
    struct principal *user = board->share->user;
    uint64_t bytes = board_part_bytes(board->part_count);
    struct denial denial;
    if (board->part_count == BOARD_PARTS_MAX ||
        user->board_bytes + bytes > step->broker->options.settings.sharing.board_bytes_max) {
        board_refuse_full(step, session, board, request_id);
        return false;
    }
    if (!place_bytes(step, &board->account, bytes, LOCATION_BOARDS, FILE_NEVER, &board->parts[board->part_count].charge,
                     &denial)) {
        board_refuse(step, session, &denial, request_id);
        return false;
    }
    user->board_bytes += bytes;
    step->broker->boards.figures.board_bytes += bytes;
    return true;
}

bool board_grow(struct step *step, struct session *session, struct board *board, uint64_t request_id)
{
    uint32_t part = board->part_count;
    struct span *first = calloc(1, sizeof *first);
    if (!first) {
        answer_out_of_tables(step, session->peer, request_id);
    }
    if (!first || !charge_part(step, session, board, request_id)) {
        free(first);
        if (!part) {
            board_free(step->broker, board);
        }
        return false;
    }
    uint32_t head = part ? 0 : board_granules(sizeof(struct board_header));
    *first = (struct span){.position = part << BOARD_PART_SHIFT | head,
                           .granules = board_part_bytes(part) / BOARD_GRANULE_BYTES - head};
    board->parts[part].first = first;
    board->is_growing = true;
    effect_push(step->effects, EFFECT_BOARD_GROW)->board_grow =
        (struct effect_board_grow){.board = board->id,
                                   .handle = board->handle,
                                   .user = board->share->user->id,
                                   .part = part,
                                   .bytes = board_part_bytes(part)};
    return true;
}

void board_grown(struct step *step, const struct input_board *grown)
{
    struct board *board = board_find(&step->broker->boards, grown->board);
    assert(board && board->is_growing);
    struct board_part *part = &board->parts[board->part_count];
    board->is_growing = false;
    if (grown->error < 0) {
        release_part(step->broker, board, board->part_count);
        free(part->first);
        part->first = NULL;
        if (!board->part_count) {
            board_free(step->broker, board);
        }
        return;
    }
    if (!board->part_count) {
        board->handle = grown->handle;
        board->key = grown->key;
    }
    if (board->is_idle) { /* its time begins anew: it is about to get an object */
        TAILQ_REMOVE(&step->broker->boards.idle, board, in_idle);
    }
    if (!board->object_count) {
        set_idle(step, board);
    }
    space_add_part(&board->space, part->first);
    board->part_count++;
}

/* ---- ending ---- */

static void end(struct step *step, struct board *board)
{
    TAILQ_REMOVE(&step->broker->boards.idle, board, in_idle);
    TAILQ_REMOVE(&board->share->boards, board, in_share);
    board->is_idle = false;
    board->has_ended = true;
    board->parts_left = board->part_count;
    for (uint32_t i = 0; i < board->part_count; i++) {
        charge_begin_free(&board->parts[i].charge);
    }
    effect_push(step->effects, EFFECT_BOARD_END)->board_end = (struct effect_board_end){board->handle};
}

void board_freed(struct step *step, const struct input_board *freed)
{
    struct board *board = board_find(&step->broker->boards, freed->board);
    assert(board && board->has_ended && board->parts[freed->part].charge.account);
    release_part(step->broker, board, freed->part);
    step->broker->retry_waiting = true;
    if (--board->parts_left == 0) {
        board_free(step->broker, board);
    }
}

static bool has_room(const struct step *step)
{
    return effect_room(step->effects) >= EFFECTS_FOR_ONE_LEASE;
}

static bool is_given_up(const struct board *board)
{
    return board->share->class->quota.is_reservation && board->share->class->quota.max_leases == 0;
}

/* A board whose objects are to go: those of a reservation that was given up, or all; NULL: there is none. */
static struct board *next_to_empty(const struct broker *broker)
{
    struct board *board;
    TAILQ_FOREACH(board, &broker->boards.boards, in_table) {
        if (board->object_count && (broker->shutting_down || is_given_up(board))) {
            return board;
        }
    }
    return NULL;
}

bool board_has_to_take_back(const struct broker *broker)
{
    return next_to_empty(broker);
}

void board_take_back(struct step *step)
{
    const struct board *board;
    while (has_room(step) && (board = next_to_empty(step->broker))) {
        object_remove(step, LIST_FIRST(&board->objects));
    }
}

/* An empty one is kept for the next object for so long. */
static uint64_t end_of(const struct broker *broker, const struct board *board)
{
    return size_add_saturated(board->idle_since,
                              broker->options.settings.sharing.grace_ms * NANOSECONDS_PER_MILLISECOND);
}

/* It has been empty for long enough; but not while it gets room for an object. */
static bool is_due(const struct step *step, const struct board *board)
{
    return !board->is_growing && (step->broker->shutting_down || end_of(step->broker, board) <= step->now);
}

void board_work(struct step *step)
{
    struct board *board;
    if (step->broker->shutting_down) {
        board_take_back(step);
    }
    while (has_room(step) && (board = TAILQ_FIRST(&step->broker->boards.idle)) && is_due(step, board)) {
        end(step, board);
    }
}

uint64_t board_next_wakeup(const struct broker *broker)
{
    const struct board *board = TAILQ_FIRST(&broker->boards.idle);
    bool goes_on = broker->shutting_down && (board || next_to_empty(broker));
    return goes_on ? 0 : board ? end_of(broker, board) : UINT64_MAX;
}

/* The broker ends, and all boards with it. */
void board_table_deinit(struct broker *broker)
{
    struct board *board;
    while ((board = TAILQ_FIRST(&broker->boards.boards))) {
        struct object *object;
        while ((object = LIST_FIRST(&board->objects))) {
            LIST_REMOVE(object, in_board);
            free(object);
        }
        for (uint32_t i = 0; i < BOARD_PARTS_MAX; i++) {
            if (board->parts[i].charge.account) {
                release_part(broker, board, i);
            }
        }
        board_free(broker, board);
    }
}
