/* SPDX-License-Identifier: Apache-2.0 */
/* Boards: what their parts are cut into, which objects they have, and who is charged. */
#include "daemon/core/check.h"

#include <string.h>

static bool has_smaller_name(const struct object *a, const struct object *b)
{
    return a->owner < b->owner || (a->owner == b->owner && strcmp(a->name, b->name) < 0);
}

CHECK_TREE(check_names, object, by_name, has_smaller_name)

struct found {
    uint64_t objects, bytes, named, of_sessions, idle;
};

/* What a board counts of its objects. */
struct counted {
    uint64_t objects, bytes, of_groups, of_all, kept;
};

/* ---- space ---- */

static uint64_t count_binned(const struct space *space)
{
    const struct span *span;
    uint64_t count = 0;
    for (int bin = 0; bin < SPACE_BINS; bin++) {
        LIST_FOREACH(span, &space->bins[bin], in_bin) {
            count++;
        }
    }
    return count;
}

static const char *check_filled(const struct space *space)
{
    const char *wrong = NULL;
    for (int bin = 0; bin < SPACE_BINS; bin++) {
        bool is_filled = space->filled[bin / 64] >> bin % 64 & 1;
        wrong = require(wrong, is_filled == !LIST_EMPTY(&space->bins[bin]), "a bin is noted as filled, and is not");
    }
    return wrong;
}

/* Neighbours follow each other, and two free ones would be one. */
static const char *check_part(const struct board *board, uint32_t part, uint64_t *free_spans)
{
    uint32_t head = part ? 0 : board_granules(sizeof(struct board_header));
    uint32_t next = part << BOARD_PART_SHIFT | head,
             end = (part << BOARD_PART_SHIFT) + board_part_bytes(part) / BOARD_GRANULE_BYTES;
    const struct span *before = NULL;
    const char *wrong = NULL;
    for (const struct span *span = board->parts[part].first; span; span = span->after) {
        wrong = require(wrong, span->position == next, "a board's spans leave a gap, or overlap");
        wrong = require(wrong, span->before == before, "a span does not know the one before it");
        wrong = require(wrong, !before || !before->is_free || !span->is_free, "two free neighbours are two spans");
        *free_spans += span->is_free;
        next += span->granules;
        before = span;
    }
    return require(wrong, next == end, "a part's spans do not fill it");
}

static const char *check_space(const struct board *board)
{
    const char *wrong = check_filled(&board->space);
    uint64_t free_spans = 0;
    for (uint32_t i = 0; i < board->part_count && !wrong; i++) {
        wrong = check_part(board, i, &free_spans);
    }
    return require(wrong, free_spans == count_binned(&board->space), "a free span is in no bin, or a taken one is");
}

/* ---- objects ---- */

static const char *check_object(const struct broker *broker, const struct board *board, const struct object *object)
{
    const struct bucket_block *block = board->blocks[object->bucket.block];
    const struct object *first = block ? block->first[object->slot] : NULL;
    const struct board_bucket bucket = board_bucket_of(board->key, object->name);
    const char *wrong = NULL;
    wrong = require(wrong, object->board == board && object->owner == board->owner, "an object is another board's");
    wrong = require(wrong, object_find(&broker->boards, object->owner, object->name) == object,
                    "an object's name leads to another one");
    wrong = require(wrong, memcmp(&bucket, &object->bucket, sizeof bucket) == 0, "an object is in the wrong bucket");
    wrong = require(wrong, object->slot - bucket.slot < BOARD_SLOTS, "an object has the slot of another bucket");
    wrong = require(wrong, object->slot - bucket.slot == BOARD_SLOTS - 1 || !object->next,
                    "an object of a slot is in a chain");
    wrong =
        require(wrong, (object->previous ? object->previous->next : first) == object, "no record leads to an object");
    wrong = require(wrong, !object->next || object->next->previous == object, "a bucket's links disagree");
    return require(wrong,
                   !object->span->is_free &&
                       object->span->granules == board_record_granules(strlen(object->name), object->bytes),
                   "an object has too much memory, or too little");
}

static void count(struct counted *counted, const struct object *object)
{
    counted->objects++;
    counted->bytes += object->bytes;
    counted->of_groups += object->access == BLOCK_ACCESS_GROUP;
    counted->of_all += object->access == BLOCK_ACCESS_ALL;
    counted->kept += object->session == NULL;
}

static const char *check_objects(const struct broker *broker, const struct board *board, struct found *found)
{
    const struct object *object;
    const char *wrong = NULL;
    struct counted counted = {0};
    const struct counted noted = {board->object_count, board->object_bytes, board->group_count, board->all_count,
                                  board->kept_count};
    LIST_FOREACH(object, &board->objects, in_board) {
        wrong = wrong ? wrong : check_object(broker, board, object);
        count(&counted, object);
    }
    found->of_sessions += counted.objects - counted.kept;
    found->objects += counted.objects;
    found->bytes += counted.bytes;
    return require(wrong, memcmp(&counted, &noted, sizeof counted) == 0, "a board miscounts its objects");
}

/* ---- boards ---- */

/* Only in between two steps. */
static const char *check_state(const struct board *board)
{
    const struct board *listed;
    uint32_t charged = 0, wanted = board->has_ended ? board->parts_left : board->part_count + board->is_growing;
    bool is_listed = false;
    const char *wrong = NULL;
    for (uint32_t i = 0; i < BOARD_PARTS_MAX; i++) {
        charged += board->parts[i].charge.account != NULL;
    }
    TAILQ_FOREACH(listed, &board->share->boards, in_share) {
        is_listed = is_listed || listed == board;
    }
    wrong = require(wrong, charged == wanted, "a board is charged for parts that it does not have");
    wrong = require(wrong, wanted > 0, "a board without a part is kept");
    wrong = require(wrong, is_listed == !board->has_ended, "a share's boards are not those that have not ended");
    wrong = require(wrong, board->is_idle == (!board->object_count && !board->has_ended && board->part_count),
                    "a board without an object is not listed as such");
    return require(wrong, !board->has_ended || !board->object_count, "a board with objects has ended");
}

static const char *check_users(const struct broker *broker)
{
    const struct principal *user;
    const struct board *board;
    const char *wrong = NULL;
    uint64_t all_bytes = 0;
    TAILQ_FOREACH(user, &broker->principals.principals[PRINCIPAL_USER], in_table) {
        uint64_t objects = 0, bytes = 0;
        TAILQ_FOREACH(board, &broker->boards.boards, in_table) {
            bool is_his = board->share->user == user;
            objects += is_his ? board->object_count : 0;
            bytes += is_his ? account_used(&board->account, LEDGER_MAX_BYTES) : 0;
        }
        wrong = require(wrong, user->objects == objects, "a user's objects are miscounted");
        wrong = require(wrong, user->board_bytes == bytes, "the memory of a user's boards is miscounted");
        all_bytes += bytes;
    }
    return require(wrong, broker->boards.figures.board_bytes == all_bytes, "the memory of all boards is miscounted");
}

static const char *check_lists(const struct broker *broker, const struct found *found)
{
    const struct session *session = check_walk_next(broker, NULL);
    const struct object *object;
    const struct board *board;
    uint64_t idle = 0, of_sessions = 0;
    const char *wrong = NULL;
    TAILQ_FOREACH(board, &broker->boards.idle, in_idle) {
        idle += board->is_idle;
    }
    for (; session; session = check_walk_next(broker, session)) {
        TAILQ_FOREACH(object, &session->objects, in_session) {
            wrong = require(wrong, object->session == session, "an object ends with another session");
            of_sessions++;
        }
    }
    wrong = require(wrong, found->named == found->objects, "there are names of objects that no board has");
    wrong =
        require(wrong, broker->boards.figures.objects == found->objects && broker->boards.figures.bytes == found->bytes,
                "the objects of all boards are miscounted");
    wrong = require(wrong, idle == found->idle, "the list of boards without an object has others");
    return require(wrong, of_sessions == found->of_sessions, "a session has lost an object that ends with it");
}

const char *check_boards(const struct broker *broker)
{
    const struct board *board;
    const struct object *before = NULL;
    struct found found = {0};
    const char *wrong = NULL; /* the order first: without it no name is found */
    wrong = require(wrong, check_names(RB_ROOT(&broker->boards.by_name), &before, &found.named),
                    "the names of objects are out of order");
    TAILQ_FOREACH(board, &broker->boards.boards, in_table) {
        found.idle += board->is_idle;
        wrong = wrong ? wrong : check_state(board);
        wrong = wrong ? wrong : check_space(board);
        wrong = wrong ? wrong : check_objects(broker, board, &found);
    }
    wrong = wrong ? wrong : check_users(broker);
    return wrong ? wrong : check_lists(broker, &found);
}
