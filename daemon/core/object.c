/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of boards: where each is, and which records lead to it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/board.h"
#include "daemon/core/broker_state.h"
#include "proto/base/text.h"

_Static_assert((int)BOARD_NAME_SIZE == MESSAGE_NAME_SIZE && (int)BOARD_OBJECT_MAX == MESSAGE_OBJECT_MAX,
               "what comes in a message fits a record");

static int compare(const struct object *a, const struct object *b)
{
    int by_owner = (a->owner > b->owner) - (a->owner < b->owner);
    return by_owner ? by_owner : strcmp(a->name, b->name);
}

TREE_GENERATE(object_tree, object, by_name, compare)

struct object *object_find(const struct board_table *table, uint32_t owner, const char *name)
{
    struct object key = {.owner = owner};
    text_copy(key.name, sizeof key.name, name);
    const struct object_tree *by_name = &table->by_name;
    return RB_FIND(object_tree, TREE_FOR_LOOKUP(object_tree, by_name), &key);
}

/* ---- buckets ---- */

static void add_link(struct effect_board_write *write, uint32_t position, size_t offset, uint32_t value)
{
    write->links[write->link_count++] = (struct board_link){position, (uint32_t)offset, value};
}

static uint32_t entry_of(const struct object *object)
{
    return object ? board_entry(object->span->position, object->bucket.tag) : 0;
}

/* The place that leads to what follows `previous` in the chain; NULL: to its first record. */
static void lead_to(struct effect_board_write *write, const struct object *object, const struct object *previous,
                    const struct object *next)
{
    const struct bucket_block *block = object->board->blocks[object->bucket.block];
    if (previous) {
        add_link(write, previous->span->position, offsetof(struct board_record, next), entry_of(next));
    } else {
        add_link(write, block->span->position, object->slot * sizeof(uint32_t), entry_of(next));
    }
}

static void unlink_record(struct effect_board_write *write, struct object *object)
{
    struct bucket_block *block = object->board->blocks[object->bucket.block];
    if (object->previous) {
        object->previous->next = object->next;
    } else {
        block->first[object->slot] = object->next;
    }
    if (object->next) {
        object->next->previous = object->previous;
    }
    lead_to(write, object, object->previous, object->next);
}

/* The first slot of a bucket that leads to nothing, or the last one. */
static uint32_t slot_for(const struct bucket_block *block, const struct board_bucket *bucket)
{
    uint32_t slot = bucket->slot, last = slot + BOARD_SLOTS - 1;
    while (slot < last && block->first[slot]) {
        slot++;
    }
    return slot;
}

static void link_record(struct effect_board_write *write, struct object *object)
{
    struct bucket_block *block = object->board->blocks[object->bucket.block];
    object->slot = slot_for(block, &object->bucket);
    object->previous = NULL;
    object->next = block->first[object->slot];
    if (object->next) {
        object->next->previous = object;
    }
    block->first[object->slot] = object;
    write->next = entry_of(object->next);
    lead_to(write, object, NULL, object);
}

static struct effect_board_write *write_to(struct step *step, const struct board *board)
{
    struct effect_board_write *write = &effect_push(step->effects, EFFECT_BOARD_WRITE)->board_write;
    *write = (struct effect_board_write){.handle = board->handle};
    return write;
}

/* ---- an object ---- */

static void leave_session(struct object *object)
{
    if (object->session) {
        TAILQ_REMOVE(&object->session->objects, object, in_session);
        object->session = NULL;
    }
}

/* In its board, and in all: one more, or one less. */
static void count_in_board(struct broker *broker, const struct object *object, bool add)
{
    const uint64_t one = add ? 1 : UINT64_MAX; /* unsigned arithmetic wraps: this is minus one */
    struct board *board = object->board;
    struct object_figures *all = &broker->boards.figures;
    board->object_count += one;
    board->object_bytes += one * object->bytes;
    board->group_count += object->access == BLOCK_ACCESS_GROUP ? one : 0;
    board->all_count += object->access == BLOCK_ACCESS_ALL ? one : 0;
    board->kept_count += object->session ? 0 : one;
    board->share->user->objects += one;
    all->objects += one;
    all->bytes += one * object->bytes;
}

/* No record leads to it any more. Its span may be another object's. */
static void drop(struct step *step, struct object *object)
{
    struct board *board = object->board;
    RB_REMOVE(object_tree, &step->broker->boards.by_name, object);
    LIST_REMOVE(object, in_board);
    count_in_board(step->broker, object, false);
    leave_session(object);
    if (object->span) {
        space_give(&board->space, object->span);
    }
    if (!board->object_count) {
        board->is_idle = true;
        board->idle_since = step->now;
        TAILQ_INSERT_TAIL(&step->broker->boards.idle, board, in_idle);
    }
    free(object);
}

void object_remove(struct step *step, struct object *object)
{
    unlink_record(write_to(step, object->board), object);
    drop(step, object);
}

bool object_remove_one_of(struct step *step, struct session *session)
{
    struct object *object = TAILQ_FIRST(&session->objects);
    if (object) {
        object_remove(step, object);
    }
    return object;
}

/* ---- putting ---- */

/* The block of its bucket is made when it is first needed, and stays. */
static enum object_result make_block(struct board *board, uint32_t number, struct bucket_block **ret_made)
{
    bool no_memory = false;
    if (board->blocks[number]) {
        return OBJECT_PUT;
    }
    struct bucket_block *block = calloc(1, sizeof *block);
    if (!block) {
        return OBJECT_NO_MEMORY;
    }
    block->span = space_take(&board->space, board_granules(BOARD_BLOCK_BYTES), &no_memory);
    if (!block->span) {
        free(block);
        return no_memory ? OBJECT_NO_MEMORY : OBJECT_NO_ROOM;
    }
    *ret_made = board->blocks[number] = block;
    return OBJECT_PUT;
}

static void unmake_block(struct board *board, uint32_t number, struct bucket_block *made)
{
    if (made) {
        board->blocks[number] = NULL;
        space_give(&board->space, made->span);
        free(made);
    }
}

static struct object *object_new(struct session *session, struct board *board, const struct put_request *asked)
{
    struct object *object = calloc(1, sizeof *object);
    if (object) {
        object->owner = board->owner;
        object->session = asked->lifetime == LIFETIME_SESSION ? session : NULL;
        object->access = asked->access;
        object->gid = asked->access == BLOCK_ACCESS_GROUP ? asked->gid : 0;
        object->bytes = (uint32_t)asked->data.count;
        object->board = board;
        text_copy(object->name, sizeof object->name, asked->name); /* what follows is zero */
        object->bucket = board_bucket_of(board->key, object->name);
    }
    return object;
}

/* Memory for the record: if there is none left, that of the object which it replaces. NULL as space_take(). */
static struct span *take_record(struct object *object, struct object *replaced, bool *ret_no_memory)
{
    struct space *space = &object->board->space;
    uint32_t granules = board_record_granules(strlen(object->name), object->bytes);
    struct span *span = space_take(space, granules, ret_no_memory);
    if (span || *ret_no_memory || !replaced) {
        return span;
    }
    span = space_retake(space, replaced->span, granules, ret_no_memory);
    replaced->span = span ? NULL : replaced->span;
    return span;
}

/* Memory for the record, and for its bucket. */
static enum object_result take_space(struct object *object, struct object *replaced, struct bucket_block **ret_made)
{
    struct board *board = object->board;
    bool no_memory = false;
    enum object_result result = make_block(board, object->bucket.block, ret_made);
    if (result != OBJECT_PUT) {
        return result;
    }
    object->span = take_record(object, replaced, &no_memory);
    if (!object->span) {
        unmake_block(board, object->bucket.block, *ret_made);
        return no_memory ? OBJECT_NO_MEMORY : OBJECT_NO_ROOM;
    }
    return OBJECT_PUT;
}

/* Of one that has no object yet, which has been idle. */
static void count(struct step *step, struct object *object)
{
    struct board *board = object->board;
    const struct object *twin = RB_INSERT(object_tree, &step->broker->boards.by_name, object);
    assert(!twin);
    (void)twin;
    LIST_INSERT_HEAD(&board->objects, object, in_board);
    if (object->session) {
        TAILQ_INSERT_TAIL(&object->session->objects, object, in_session);
    }
    if (board->is_idle) {
        TAILQ_REMOVE(&step->broker->boards.idle, board, in_idle);
        board->is_idle = false;
    }
    count_in_board(step->broker, object, true);
    step->broker->boards.figures.put++;
}

enum object_result object_put(struct step *step, struct session *session, struct board *board, struct object *before,
                              const struct put_request *asked)
{
    struct bucket_block *made = NULL;
    struct object *object = object_new(session, board, asked);
    struct object *replaced = before && before->board == board ? before : NULL;
    enum object_result result = object ? take_space(object, replaced, &made) : OBJECT_NO_MEMORY;
    if (result != OBJECT_PUT) {
        free(object);
        return result;
    }
    if (before && !replaced) { /* of another class: gone there before it is here */
        object_remove(step, before);
    }
    struct effect_board_write *write = write_to(step, board);
    write->record = object->span->position;
    write->data = asked->data;
    memcpy(write->name, object->name, sizeof write->name);
    if (made) {
        write->cleared = made->span->position;
        add_link(write, 0, offsetof(struct board_header, blocks) + object->bucket.block * sizeof(uint32_t),
                 made->span->position);
    }
    if (replaced) {
        write->is_over_another = !replaced->span;
        unlink_record(write, replaced);
    }
    link_record(write, object);
    if (replaced) {
        drop(step, replaced);
    }
    count(step, object);
    return OBJECT_PUT;
}
