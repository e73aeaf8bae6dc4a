/* SPDX-License-Identifier: Apache-2.0 */
/* Which boards there are, who is charged for them, and when they end. */
#include <errno.h>
#include <stdio.h>

#include "daemon/core/broker_state.h"
#include "proto/base/text.h"
#include "tests/unit/core/putting.h"

TestSuite(board_lives);

enum { OWNER, INNER /* in a user namespace of the same user's */, OTHER };

static struct model *model;

static void end(void)
{
    model_free(model);
}

static void open_inner(const char *name)
{
    struct input input = {.kind = INPUT_OPEN_SESSION, .peer = model_cookie(INNER)};
    input.open.identity = (struct identity){.pid = 101, .uid = 100000, .has_owner = true, .owner = 1000};
    input.open.token.bytes[0] = INNER;
    input.open.hello.heap_bytes = input.open.hello.max_bytes = input.open.hello.max_physical_bytes = LIMIT_DEFAULT;
    text_copy(input.open.hello.name, sizeof input.open.hello.name, name);
    model_feed(model, &input);
}

static void begin(void)
{
    model = model_new(0, 0, 0);
    model->boards.key = 7;
    model_open_as(model, OWNER, "a", 1000);
    open_inner("b");
    model_open_as(model, OTHER, "c", 1002);
}

static void put(int peer, const char *name)
{
    put_for_session(model, peer, name, 10, 1);
}

static void drop(int peer, const char *name)
{
    cr_assert_eq(remove_object(model, peer, name)->kind, REPLY_DONE);
}

static uint64_t used(void)
{
    return model_status(model).used_physical_bytes;
}

static uint64_t parts_of(uint32_t uid)
{
    const struct board *board;
    uint64_t parts = 0;
    TAILQ_FOREACH(board, &model->broker->boards.boards, in_table) {
        parts += board->owner == uid && !board->has_ended ? board->part_count : 0;
    }
    return parts;
}

/* ---- user namespaces ---- */

Test(board_lives, a_user_namespace_has_a_board_of_its_own_and_its_owner_is_charged, .init = begin, .fini = end)
{
    const struct principal *user = session_table_next(&model->broker->sessions, 0)->share->user;
    put(OWNER, "x");
    put(INNER, "y");
    put(OWNER, "z");
    cr_expect(parts_of(1000) == 1 && parts_of(100000) == 1);
    cr_expect(user->id == 1000 && user->board_bytes == 2 * BOARD_PART_BYTES_LEAST && user->objects == 3);
    cr_expect_eq(remove_object(model, INNER, "x")->kind, REPLY_ERROR, "it is another owner's");
    drop(OWNER, "x");
    drop(OWNER, "z");
    model_pass(model, 5000);
    cr_expect(parts_of(1000) == 0 && parts_of(100000) == 1);
    cr_expect_eq(user->board_bytes, BOARD_PART_BYTES_LEAST);
}

Test(board_lives, a_board_that_is_not_made_leaves_the_one_beside_it, .init = begin, .fini = end)
{
    put(OWNER, "x");
    model->boards.fail_error = -ENOMEM;
    cr_expect_null(put_object(model, INNER, "y", 1, 1, LIFETIME_SESSION));
    model->boards.fail_error = 0;
    cr_expect(parts_of(1000) == 1 && parts_of(100000) == 0);
    cr_expect_eq(used(), BOARD_PART_BYTES_LEAST);
    put(INNER, "y");
    cr_expect(parts_of(1000) == 1 && parts_of(100000) == 1);
}

Test(board_lives, all_boards_of_a_class_that_is_gone_follow_their_user)
{
    model = sharing(0);
    model_open_as(model, OWNER, "a1", 1000);
    open_inner("a2");
    const struct share *before = session_table_next(&model->broker->sessions, 0)->share;
    cr_assert_str_eq(before->class->name, "a");
    model->hold_frees = true;
    put(OWNER, "short");
    drop(OWNER, "short");
    model_pass(model, 5000); /* its board has ended */
    put(OWNER, "x");
    put(INNER, "y");
    cr_assert(parts_of(1000) == 1 && parts_of(100000) == 1);
    model->options.settings.policy = NULL;
    model_configure(model);
    const struct board *board;
    TAILQ_FOREACH(board, &model->broker->boards.boards, in_table) {
        cr_expect_str_eq(board->share->class->name, POLICY_DEFAULT_CLASS);
    }
    cr_expect_eq(used(), 3 * BOARD_PART_BYTES_LEAST);
    put(OWNER, "z");
    cr_expect(parts_of(1000) == 1, "in the board that moved");
    model_finish(model);
    cr_expect_eq(used(), 2 * BOARD_PART_BYTES_LEAST);
    end();
}

/* ---- empty ones ---- */

/* Each name has its own block of buckets, which stays. */
static void crowd_with_buckets(void)
{
    char name[16];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        put(OWNER, name);
        drop(OWNER, name);
    }
    cr_assert_eq(parts_of(1000), 1);
}

Test(board_lives, an_empty_board_that_gets_room_for_an_object_stays)
{
    for (int beside = 0; beside < 2; beside++) { /* another empty one */
        begin();
        crowd_with_buckets();
        uint64_t id = TAILQ_FIRST(&model->broker->boards.boards)->id;
        if (beside) {
            put(OTHER, "x");
            drop(OTHER, "x");
        }
        model->now += 6000 * NANOSECONDS_PER_MILLISECOND;
        put_for_session(model, OWNER, "large", MESSAGE_OBJECT_MAX, 1);
        const struct board *board = TAILQ_FIRST(&model->broker->boards.boards);
        cr_expect(board->id == id && board->part_count == 2);
        model_pass(model, 1);
        cr_expect_eq(parts_of(1002), 0, "the other one's time is over");
        end();
    }
}

Test(board_lives, each_empty_board_has_its_own_time, .init = begin, .fini = end)
{
    put(OWNER, "x");
    put(OTHER, "x");
    drop(OWNER, "x");
    model_pass(model, 1000);
    drop(OTHER, "x");
    put(OWNER, "y"); /* the other one's is still empty */
    model_pass(model, 4999);
    cr_expect(parts_of(1000) == 1 && parts_of(1002) == 1);
    model_pass(model, 1);
    cr_expect(parts_of(1000) == 1 && parts_of(1002) == 0);
}

/* ---- the end ---- */

/* A step has room for some of the effects only: it ends after an object, or just before the board's end. */
Test(board_lives, however_many_objects_there_are_a_shutdown_ends_all)
{
    for (int count = EFFECTS_MAX - EFFECTS_FOR_ONE_LEASE - 10; count < EFFECTS_MAX - EFFECTS_FOR_ONE_LEASE + 5;
         count++) {
        char name[16];
        begin();
        model->check_every = 100;
        for (int i = 0; i < count; i++) {
            (void)snprintf(name, sizeof name, "%d", i);
            cr_assert_eq(put_object(model, OWNER, name, 1, 1, LIFETIME_KEEP)->kind, REPLY_DONE);
        }
        struct input input = {.kind = INPUT_SHUTDOWN};
        model_feed(model, &input);
        model_pass(model, 1);
        cr_expect_eq(used(), 0, "%d", count);
        end();
    }
}
