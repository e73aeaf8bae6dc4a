/* SPDX-License-Identifier: Apache-2.0 */
/* broker_check() notices each invariant of boards that is broken by hand. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/check.h"
#include "tests/unit/core/noticed.h"
#include "tests/unit/core/putting.h"

TestSuite(check_boards);

enum { OWNER, IDLE, OTHER };

static struct model *model;
static struct broker *broker;
static struct board *full, *idle, *other, *ended;
static struct object *earlier, *later; /* of the chain of one bucket, the later one is its first */
static struct object *kept, *last;

static struct object *object_of(uint32_t uid, const char *name)
{
    struct object *object = object_find(&broker->boards, uid, name);
    cr_assert(object);
    return object;
}

static struct board *board_of(uint32_t uid)
{
    struct board *board;
    TAILQ_FOREACH(board, &broker->boards.boards, in_table) {
        if (board->owner == uid && !board->has_ended) {
            return board;
        }
    }
    cr_assert_fail("no board");
    return NULL;
}

static void open_all(void)
{
    model = model_new(0, 0, 0);
    broker = model->broker;
    model->boards.key = 7;
    model_open_as(model, OWNER, "a", 1000);
    model_open_as(model, IDLE, "b", 1001);
    model_open_as(model, OTHER, "c", 1002);
}

/* It keeps its name, and nothing else of it is counted. */
static void leave_board(struct object *object)
{
    LIST_REMOVE(object, in_board);
    object->board->object_count--;
    object->board->object_bytes -= object->bytes;
    object->board->kept_count -= object->session == NULL;
    object->board->share->user->objects--;
}

static void join_board(struct object *object)
{
    LIST_INSERT_HEAD(&object->board->objects, object, in_board);
    object->board->object_count++;
    object->board->object_bytes += object->bytes;
    object->board->kept_count += object->session == NULL;
    object->board->share->user->objects++;
}

/* A board of seven objects, an empty one, one with an object, and one that has ended and is not freed. */
static void begin(void)
{
    char names[BOARD_SLOTS + 1][MEETING_NAME_SIZE];
    open_all();
    find_meeting_names(7, names, BOARD_SLOTS + 1);
    model->hold_frees = true;
    put_for_session(model, OTHER, "short", 10, 1);
    ended = board_of(1002);
    remove_object(model, OTHER, "short");
    model_pass(model, 5000);
    cr_assert(ended->has_ended);
    for (int i = 0; i <= BOARD_SLOTS; i++) {
        put_for_session(model, OWNER, names[i], 10, 1);
    }
    put_object(model, OWNER, "kept", 10, 1, LIFETIME_KEEP);
    put_for_session(model, OWNER, "last", 10, 1);
    put_for_session(model, IDLE, "short", 10, 1);
    remove_object(model, IDLE, "short");
    put_for_session(model, OTHER, "x", 10, 1);
    full = board_of(1000);
    idle = board_of(1001);
    other = board_of(1002);
    earlier = object_of(1000, names[BOARD_SLOTS - 1]);
    later = object_of(1000, names[BOARD_SLOTS]);
    kept = object_of(1000, "kept");
    last = object_of(1000, "last");
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
}

static void end(void)
{
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
    model_finish(model);
    model_free(model);
}

Test(check_boards, states, .init = begin, .fini = end)
{
    EXPECT_NOTICED_BY(check_boards, full->part_count, 2, "charged for parts that it does not have");
    EXPECT_NOTICED_BY(check_boards, full->is_growing, true, "charged for parts that it does not have");
    EXPECT_NOTICED_BY(check_boards, ended->parts_left, 2, "charged for parts that it does not have");
    struct account *account = idle->parts[0].charge.account;
    idle->part_count = 0;
    EXPECT_NOTICED_BY(check_boards, idle->parts[0].charge.account, NULL, "without a part is kept");
    cr_assert_eq(idle->parts[0].charge.account, account);
    idle->part_count = 1;
    EXPECT_OF(check_boards, TAILQ_REMOVE(&full->share->boards, full, in_share),
              TAILQ_INSERT_TAIL(&full->share->boards, full, in_share), "a share's boards");
    EXPECT_OF(check_boards, TAILQ_INSERT_TAIL(&ended->share->boards, ended, in_share),
              TAILQ_REMOVE(&ended->share->boards, ended, in_share), "a share's boards");
    EXPECT_NOTICED_BY(check_boards, full->is_idle, true, "is not listed as such");
    EXPECT_NOTICED_BY(check_boards, idle->is_idle, false, "is not listed as such");
    EXPECT_NOTICED_BY(check_boards, ended->is_idle, true, "is not listed as such");
    EXPECT_NOTICED_BY(check_boards, ended->object_count, 1, "with objects has ended");
}

Test(check_boards, spans, .init = begin, .fini = end)
{
    struct span *first = full->parts[0].first, *taken = kept->span;
    cr_assert(first->is_free && taken->before && taken->before->before);
    EXPECT_NOTICED_BY(check_boards, taken->position, taken->position + 1, "leave a gap, or overlap");
    EXPECT_NOTICED_BY(check_boards, taken->before, first, "does not know the one before");
    EXPECT_NOTICED_BY(check_boards, first->after->is_free, true, "two free neighbours");
    EXPECT_NOTICED_BY(check_boards, taken->is_free, true, "is in no bin");
    EXPECT_NOTICED_BY(check_boards, first->is_free, false, "is in no bin");
    struct span *end = first;
    while (end->after) {
        end = end->after;
    }
    EXPECT_NOTICED_BY(check_boards, end->granules, end->granules + 1, "do not fill it");
    EXPECT_NOTICED_BY(check_boards, full->space.filled[0], UINT64_MAX, "noted as filled");
    EXPECT_NOTICED_BY(check_boards, full->space.filled[SPACE_WORDS - 1], 0, "noted as filled");
}

Test(check_boards, objects, .init = begin, .fini = end)
{
    struct bucket_block *block = full->blocks[later->bucket.block];
    uint32_t number = later->bucket.block;
    cr_assert(earlier->previous == later && later->next == earlier);
    EXPECT_NOTICED_BY(check_boards, kept->board, other, "is another board's");
    EXPECT_NOTICED_BY(check_boards, last->owner, 1001, "is another board's");
    EXPECT_NOTICED_BY(check_boards, RB_ROOT(&broker->boards.by_name), NULL, "leads to another one");
    EXPECT_NOTICED_BY(check_boards, kept->bucket.block, (kept->bucket.block + 1) % BOARD_BLOCKS, "in the wrong bucket");
    EXPECT_NOTICED_BY(check_boards, kept->bucket.slot, (kept->bucket.slot + BOARD_SLOTS) % BOARD_SLOTS_IN_BLOCK,
                      "in the wrong bucket");
    EXPECT_NOTICED_BY(check_boards, kept->bucket.tag, kept->bucket.tag + 1, "in the wrong bucket");
    EXPECT_NOTICED_BY(check_boards, kept->slot, (kept->slot + BOARD_SLOTS) % BOARD_SLOTS_IN_BLOCK,
                      "slot of another bucket");
    EXPECT_NOTICED_BY(check_boards, later->slot, later->slot - 1, "an object of a slot is in a chain");
    EXPECT_NOTICED_BY(check_boards, full->blocks[number], NULL, "no record leads to");
    EXPECT_NOTICED_BY(check_boards, block->first[later->slot], earlier, "no record leads to");
    EXPECT_NOTICED_BY(check_boards, later->next, NULL, "no record leads to");
    EXPECT_NOTICED_BY(check_boards, earlier->previous, NULL, "links disagree");
    EXPECT_NOTICED_BY(check_boards, kept->span, full->parts[0].first, "too much memory, or too little");
    EXPECT_NOTICED_BY(check_boards, kept->bytes, 1000, "too much memory, or too little");
    EXPECT_NOTICED_BY(check_boards, full->object_count, 5 + BOARD_SLOTS, "miscounts its objects");
    EXPECT_NOTICED_BY(check_boards, full->object_bytes, 5, "miscounts its objects");
    EXPECT_NOTICED_BY(check_boards, kept->access, BLOCK_ACCESS_GROUP, "miscounts its objects");
    EXPECT_NOTICED_BY(check_boards, kept->access, BLOCK_ACCESS_ALL, "miscounts its objects");
    EXPECT_NOTICED_BY(check_boards, kept->session, last->session, "miscounts its objects");
    EXPECT_NOTICED_BY(check_boards, broker->boards.figures.objects, 1, "objects of all boards");
    EXPECT_NOTICED_BY(check_boards, broker->boards.figures.bytes, 1, "objects of all boards");
    EXPECT_NOTICED_BY(check_boards, broker->boards.figures.board_bytes, 1, "memory of all boards");
}

Test(check_boards, users_and_sessions, .init = begin, .fini = end)
{
    struct principal *user = full->share->user;
    struct session *session = last->session, *another = other->objects.lh_first->session;
    EXPECT_NOTICED_BY(check_boards, user->objects, 3, "a user's objects are miscounted");
    EXPECT_NOTICED_BY(check_boards, user->board_bytes, 1, "memory of a user's boards");
    EXPECT_NOTICED_BY(check_boards, last->session, another, "ends with another session");
    EXPECT_OF(check_boards, TAILQ_REMOVE(&session->objects, last, in_session),
              TAILQ_INSERT_TAIL(&session->objects, last, in_session), "has lost an object");
}

Test(check_boards, lists, .init = begin, .fini = end)
{
    EXPECT_OF(check_boards, leave_board(kept), join_board(kept), "names of objects that no board has");
    EXPECT_OF(check_boards, TAILQ_REMOVE(&broker->boards.idle, idle, in_idle),
              TAILQ_INSERT_TAIL(&broker->boards.idle, idle, in_idle), "has others");
}

enum { MANY = 16 };

static void begin_with_many(void)
{
    open_all();
    for (int i = 0; i < MANY; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        put_for_session(model, OWNER, name, 1, 1);
    }
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
}

Test(check_boards, the_order_of_names_at_each_place_of_the_tree, .init = begin_with_many, .fini = end)
{
    for (int i = 1; i < MANY - 1; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        struct object *object = object_of(1000, name);
        EXPECT_NOTICED_BY(check_boards, object->owner, 5000, "names of objects are out of order");
        EXPECT_NOTICED_BY(check_boards, object->owner, 5, "names of objects are out of order");
        EXPECT_NOTICED_BY(check_boards, object->name[0], '~', "names of objects are out of order");
        EXPECT_NOTICED_BY(check_boards, object->name[0], ' ', "names of objects are out of order");
    }
}
