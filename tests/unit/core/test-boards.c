/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and boards in the core. The model writes what the core says, and reads it as a client does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/text.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/putting.h"
#include "tests/unit/core/reserving.h"
#include "tests/unit/core/sharing.h"

TestSuite(boards);

enum { OWNER, TWIN /* of the same user */, OTHER };

static struct model *model;

static void begin(uint64_t max_physical)
{
    model = model_for_putting(max_physical);
}

static void end(void)
{
    model_free(model);
}

static const struct reply *put_as(int peer, const char *name, size_t bytes, uint8_t value, enum lifetime lifetime)
{
    return put_object(model, peer, name, bytes, value, lifetime);
}

static void put(int peer, const char *name, size_t bytes, uint8_t value)
{
    put_for_session(model, peer, name, bytes, value);
}

static const struct reply *drop(int peer, const char *name)
{
    return remove_object(model, peer, name);
}

/* Whether that is what user 1000 reads. */
static bool has(const char *name, size_t bytes, uint8_t value)
{
    static uint8_t buffer[MESSAGE_OBJECT_MAX];
    bool is_right = board_model_read(&model->boards, 1000, name, buffer, sizeof buffer) == (int)bytes;
    for (size_t i = 0; i < bytes; i++) {
        is_right = is_right && buffer[i] == value;
    }
    return is_right;
}

static bool is_absent(const char *name)
{
    return board_model_read(&model->boards, 1000, name, NULL, 0) == -ENOENT;
}

static uint64_t used(void)
{
    return model_status(model).used_physical_bytes;
}

/* ---- names ---- */

Test(boards, an_object_is_put_replaced_and_removed)
{
    begin(0);
    put(OWNER, "a", 10, 1);
    put(OWNER, "empty", 0, 0);
    cr_expect(has("a", 10, 1) && has("empty", 0, 0) && is_absent("b"));
    put(TWIN, "a", 3000, 2);
    cr_expect(has("a", 3000, 2));
    cr_expect_eq(drop(OWNER, "a")->kind, REPLY_DONE);
    cr_expect(is_absent("a") && has("empty", 0, 0));
    refused(drop(OWNER, "a"), ERROR_NO_SUCH_BLOCK);
    refused(drop(OTHER, "empty"), ERROR_NO_SUCH_BLOCK);
    put(OTHER, "a", 5, 3); /* another user's name */
    cr_expect(is_absent("a"));
    end();
}

Test(boards, an_object_ends_with_the_session_that_put_it_last)
{
    begin(0);
    put(OWNER, "mine", 1, 1);
    put(OWNER, "his", 1, 1);
    put(TWIN, "his", 1, 2);
    put_as(OWNER, "kept", 1, 3, LIFETIME_KEEP);
    put_as(OWNER, "late", 1, 3, LIFETIME_KEEP);
    put(OWNER, "late", 1, 4);
    struct request bye = {.kind = REQUEST_BYE};
    model_request(model, OWNER, &bye);
    cr_expect(is_absent("mine") && is_absent("late") && has("his", 1, 2) && has("kept", 1, 3));
    end();
}

Test(boards, many_objects_end_with_their_session_in_many_steps)
{
    char name[16];
    begin(0);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        put(OWNER, name, 20, 1);
    }
    model->largest_step = 0;
    struct request bye = {.kind = REQUEST_BYE};
    cr_expect_null(model_request(model, OWNER, &bye), "it is answered when they have ended");
    while (!model_answer(model, bye.id)) {
        cr_expect(!(is_absent("0") && is_absent("999")));
        model_pass(model, 1);
    }
    cr_expect(is_absent("0") && is_absent("999"));
    cr_expect_leq(model->largest_step, EFFECTS_MAX);
    end();
}

Test(boards, terms_are_checked)
{
    begin(0);
    struct request request = putting_object("a", 1, 1);
    request.put.access = BLOCK_ACCESS_GROUP;
    request.put.gid = 5;
    refused(model_request(model, OWNER, &request), ERROR_NOT_PERMITTED);
    request.put.gid = 0; /* that of all peers */
    cr_expect_eq(model_request(model, OWNER, &request)->kind, REPLY_DONE);
    model->options.settings.sharing.objects_max = 1;
    model_configure(model);
    refused(put_as(OWNER, "b", 1, 1, LIFETIME_SESSION), ERROR_TOO_MANY);
    put(OWNER, "a", 1, 2);
    put(OTHER, "b", 1, 2);
    end();
}

/* ---- who may remove ---- */

static void put_for(const char *name, enum block_access access)
{
    struct request request = putting_object(name, 1, 1);
    request.put.access = access;
    cr_assert_eq(model_request(model, OWNER, &request)->kind, REPLY_DONE);
}

static void expect_removal(const struct identity *by, const char *name, enum error_code expected)
{
    static uint64_t id = 5000;
    struct request request = {.id = id++, .kind = REQUEST_REMOVE, .remove = {.has_owner = true, .owner = 1000}};
    struct input input = {.kind = INPUT_REQUEST, .peer = (void *)(uintptr_t)9};
    input.request = (struct input_request){.identity = *by, .request = &request};
    text_copy(request.remove.name, MESSAGE_NAME_SIZE, name);
    model_feed(model, &input);
    const struct reply *reply = model_answer(model, request.id);
    cr_assert(reply);
    cr_expect_eq(reply->kind == REPLY_DONE ? ERROR_UNSPECIFIED : reply->error.code, expected, "%s", name);
}

Test(boards, its_owner_and_administrators_remove_an_object)
{
    const struct identity other = {.pid = 1, .uid = 1002, .gid = 9}, owner = {.pid = 1, .uid = 1000, .gid = 9};
    begin(0);
    put_for("own", BLOCK_ACCESS_USER);
    put_for("all", BLOCK_ACCESS_ALL);
    expect_removal(&other, "own", ERROR_NO_SUCH_BLOCK);
    expect_removal(&other, "all", ERROR_NOT_PERMITTED);
    expect_removal(&other, "none", ERROR_NO_SUCH_BLOCK);
    cr_expect(!is_absent("own") && !is_absent("all"));
    expect_removal(&model_root, "own", ERROR_UNSPECIFIED);
    expect_removal(&owner, "all", ERROR_UNSPECIFIED);
    expect_removal(&model_root, "own", ERROR_NO_SUCH_BLOCK);
    cr_expect(is_absent("own") && is_absent("all"));
    end();
}

/* ---- who may look ---- */

static bool may_get(uint32_t uid, uint32_t gid, const char *name)
{
    const struct identity identity = {.uid = uid, .gid = gid};
    struct get_request asked = {.has_owner = true, .owner = 1000};
    struct object_place place;
    text_copy(asked.name, sizeof asked.name, name);
    bool may = broker_find_object(model->broker, &identity, &asked, &place);
    cr_expect(!may || (place.bytes == 1 && (place.board != 0) == (uid == 1000)));
    return may;
}

Test(boards, others_get_what_they_may_and_open_no_board)
{
    const struct identity owner = {.uid = 1000, .gid = 9}, other = {.uid = 1002, .gid = 9};
    struct get_request asked = {.name = "own"};
    struct object_place place;
    begin(0);
    put_for("own", BLOCK_ACCESS_USER);
    put_for("group", BLOCK_ACCESS_GROUP); /* 0 */
    put_for("all", BLOCK_ACCESS_ALL);
    cr_expect(may_get(1000, 9, "own") && may_get(1000, 9, "group") && may_get(1000, 9, "all"));
    cr_expect(!may_get(1002, 9, "own") && !may_get(1002, 9, "group") && may_get(1002, 9, "all"));
    cr_expect(may_get(1002, 0, "group") && !may_get(1000, 9, "none"));
    cr_assert(broker_find_object(model->broker, &owner, &asked, &place));
    cr_expect(!broker_find_object(model->broker, &other, &asked, &place));
    uint64_t board = place.board;
    cr_expect_eq(broker_find_board(model->broker, &owner, board), place.handle);
    cr_expect_null(broker_find_board(model->broker, &other, board));
    cr_expect_null(broker_find_board(model->broker, &owner, board + 1));
    model->hold_frees = true;
    drop(OWNER, "own");
    drop(OWNER, "group");
    drop(OWNER, "all");
    model_pass(model, 5000);
    cr_expect_null(broker_find_board(model->broker, &owner, board), "it has ended");
    end();
}

/* ---- memory ---- */

Test(boards, memory_is_charged_before_it_is_made_and_until_it_is_freed)
{
    begin(0);
    model->hold_frees = true;
    put(OWNER, "a", 10, 1);
    cr_expect_eq(used(), BOARD_PART_BYTES_LEAST);
    cr_expect_eq(broker_board_bytes(model->broker), BOARD_PART_BYTES_LEAST);
    put(OWNER, "b", MESSAGE_OBJECT_MAX, 2);
    put(OWNER, "c", MESSAGE_OBJECT_MAX, 3);
    cr_expect_eq(used(), 3 * BOARD_PART_BYTES_LEAST);
    drop(OWNER, "a");
    drop(OWNER, "b");
    drop(OWNER, "c");
    model_pass(model, 4999);
    put(OWNER, "a", 10, 1);
    drop(OWNER, "a");
    model_pass(model, 4999);
    cr_expect_eq(model_status(model).freeing_bytes, 0, "it was in use meanwhile");
    model_pass(model, 1);
    cr_expect_eq(model_status(model).freeing_bytes, 3 * BOARD_PART_BYTES_LEAST);
    cr_expect_eq(used(), 3 * BOARD_PART_BYTES_LEAST);
    put(OWNER, "a", 10, 4); /* in another board */
    cr_expect(has("a", 10, 4));
    cr_expect_eq(used(), 4 * BOARD_PART_BYTES_LEAST);
    model_finish(model);
    cr_expect_eq(used(), BOARD_PART_BYTES_LEAST);
    end();
}

Test(boards, limits_hold)
{
    begin(2 * BOARD_PART_BYTES_LEAST);
    put(OWNER, "a", MESSAGE_OBJECT_MAX, 1);
    const struct reply *reply = refused(put_as(OWNER, "b", MESSAGE_OBJECT_MAX, 1, LIFETIME_SESSION), ERROR_LIMIT);
    cr_expect(strstr(reply->error.sentence, "host's max_physical_bytes"), "%s", reply->error.sentence);
    cr_expect(has("a", MESSAGE_OBJECT_MAX, 1));
    end();
    begin(0);
    model->options.settings.sharing.board_bytes_max = BOARD_PART_BYTES_LEAST;
    model_configure(model);
    put(OWNER, "a", MESSAGE_OBJECT_MAX, 1);
    reply = refused(put_as(OWNER, "b", MESSAGE_OBJECT_MAX, 1, LIFETIME_SESSION), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "max_board_bytes"), "%s", reply->error.sentence);
    model->options.settings.sharing.board_bytes_max = 0;
    model_configure(model);
    refused(put_as(OTHER, "b", 1, 1, LIFETIME_SESSION), ERROR_TOO_MANY);
    end();
}

Test(boards, a_board_has_so_many_parts)
{
    char name[16];
    const struct reply *reply = NULL;
    begin(0);
    model->check_every = 500;
    model->options.settings.sharing.objects_max = 100000;
    model->options.settings.sharing.board_bytes_max = UINT64_C(1) << 40;
    model_configure(model);
    for (int i = 0; !reply || reply->kind == REPLY_DONE; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        reply = put_as(OWNER, name, MESSAGE_OBJECT_MAX, 1, LIFETIME_SESSION);
    }
    refused(reply, ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "at most 64 parts; remove some"), "%s", reply->error.sentence);
    cr_expect_null(strstr(reply->error.sentence, "max_board_bytes"), "which did not refuse: %s", reply->error.sentence);
    cr_expect_gt(used(), UINT64_C(200) << 20);
    end();
}

Test(boards, a_part_that_is_not_made_is_not_charged)
{
    begin(0);
    model->boards.fail_error = -ENOMEM;
    cr_expect_null(put_as(OWNER, "a", 1, 1, LIFETIME_SESSION), "the shell answers");
    cr_expect_eq(used(), 0);
    model->boards.fail_error = 0;
    put(OWNER, "a", MESSAGE_OBJECT_MAX, 1);
    model->boards.fail_error = -EMFILE;
    cr_expect_null(put_as(OWNER, "b", MESSAGE_OBJECT_MAX, 1, LIFETIME_SESSION));
    cr_expect_eq(used(), BOARD_PART_BYTES_LEAST);
    cr_expect(has("a", MESSAGE_OBJECT_MAX, 1));
    end();
}

Test(boards, an_object_is_put_completely_or_not_at_all)
{
    for (int round = 0; round < 3; round++) { /* into no board, one with its bucket, one without */
        begin(0);
        if (round > 0) {
            put(OWNER, round == 1 ? "a" : "other", 1, 1);
        }
        bool is_done = false;
        int refusals = -1;
        for (long number = 1; !is_done; number++, refusals++) {
            exhaustion_arm(number);
            const struct reply *reply = put_as(OWNER, "a", 100, 2, LIFETIME_SESSION);
            exhaustion_arm(0);
            is_done = reply->kind == REPLY_DONE;
            cr_expect(is_done || reply->error.code == ERROR_SYSTEM);
            cr_expect(is_done || (round == 1 ? has("a", 1, 1) : is_absent("a")));
        }
        cr_expect_geq(refusals, 2);
        cr_expect(has("a", 100, 2));
        end();
    }
}

/* ---- buckets and spans ---- */

Test(boards, names_of_one_bucket_are_told_apart)
{
    char names[8][MEETING_NAME_SIZE];
    begin(0);
    find_meeting_names(model->boards.key, names, 8);
    for (int i = 0; i < 8; i++) {
        put(OWNER, names[i], 100, (uint8_t)i);
    }
    put(OWNER, names[7], 200, 70); /* the first and the last in its chain, and one with a slot of its own */
    put(OWNER, names[3], 200, 30);
    put(OWNER, names[0], 200, 10);
    cr_expect_eq(drop(OWNER, names[0])->kind, REPLY_DONE);
    cr_expect_eq(drop(OWNER, names[5])->kind, REPLY_DONE);
    cr_expect_eq(drop(OWNER, names[1])->kind, REPLY_DONE);
    cr_expect(has(names[7], 200, 70) && has(names[3], 200, 30) && has(names[2], 100, 2) && has(names[6], 100, 6));
    cr_expect(is_absent(names[0]) && is_absent(names[5]) && is_absent(names[1]));
    end();
}

enum { RANDOM_STEPS = 20000, RANDOM_NAMES = 60 };

/* What each name should have; -1: there is no such object. */
struct expected {
    int bytes;
    uint8_t value;
    int peer; /* with which it ends; -1: none */
};

static void check_expected(const struct expected *expected)
{
    for (int i = 0; i < RANDOM_NAMES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%d", i);
        cr_assert(expected[i].bytes < 0 ? is_absent(name) : has(name, (size_t)expected[i].bytes, expected[i].value));
    }
}

static void end_session(struct expected *expected, int peer)
{
    struct request bye = {.kind = REQUEST_BYE};
    model_request(model, peer, &bye);
    model_pass(model, 1);
    model_open_as(model, peer, "again", 1000);
    for (int i = 0; i < RANDOM_NAMES; i++) {
        expected[i].bytes = expected[i].peer == peer ? -1 : expected[i].bytes;
    }
}

static void act(struct expected *expected, unsigned *seed)
{
    int which = rand_r(seed) % RANDOM_NAMES, action = rand_r(seed) % 100, peer = rand_r(seed) % 2;
    size_t bytes = (size_t)(rand_r(seed) % (rand_r(seed) % 4 ? 2000 : MESSAGE_OBJECT_MAX));
    bool is_kept = rand_r(seed) % 3 == 0;
    char name[16];
    (void)snprintf(name, sizeof name, "%d", which);
    if (action < 60) {
        uint8_t value = (uint8_t)rand_r(seed);
        const struct reply *reply = put_as(peer, name, bytes, value, is_kept ? LIFETIME_KEEP : LIFETIME_SESSION);
        if (reply->kind == REPLY_DONE) {
            expected[which] = (struct expected){(int)bytes, value, is_kept ? -1 : peer};
        }
    } else if (action < 95) {
        (void)drop(peer, name);
        expected[which].bytes = -1;
    } else if (action < 96) {
        end_session(expected, peer);
    } else {
        model_pass(model, (uint64_t)(rand_r(seed) % 4000));
    }
}

Test(boards, random_operations_leave_what_was_put_last)
{
    struct expected expected[RANDOM_NAMES];
    unsigned seed = 1;
    begin(MIB);
    for (int i = 0; i < RANDOM_NAMES; i++) {
        expected[i] = (struct expected){-1, 0, -1};
    }
    for (int i = 0; i < RANDOM_STEPS; i++) {
        act(expected, &seed);
        if (i % 50 == 0) {
            check_expected(expected);
        }
    }
    check_expected(expected);
    end();
}

/* ---- classes and reservations ---- */

Test(boards, an_object_follows_the_class_of_who_puts_it)
{
    model = sharing(0);
    model_open_as(model, OWNER, "a1", 1000);
    model_open_as(model, TWIN, "b1", 1000);
    put(OWNER, "x", 10, 1);
    put(OWNER, "y", 10, 1);
    put(TWIN, "x", 10, 2);
    cr_expect(has("x", 10, 2) && has("y", 10, 1));
    cr_expect_eq(used(), 2 * BOARD_PART_BYTES_LEAST);
    model->options.settings.policy = &model_policy;
    model_configure(model);
    put(OWNER, "x", 10, 3);
    cr_expect(has("x", 10, 3));
    end();
}

Test(boards, objects_end_with_the_reservation_that_is_charged)
{
    char name[16];
    model = model_new(0, 400 * MIB, 0);
    cr_assert_eq(reserve(model, "job", 200 * MIB, "/job\n"), 0);
    cr_assert_eq(reserve(model, "other", 100 * MIB, "/other\n"), 0);
    model_open_in(model, OTHER, "other", "/other\n");
    put(OTHER, "of another", 10, 1);
    model_open_in(model, OWNER, "in", "/job\n");
    model_open_as(model, TWIN, "twin", 1000);
    for (int i = 0; i < 600; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        put_as(OWNER, name, 10, 1, i % 2 ? LIFETIME_KEEP : LIFETIME_SESSION);
    }
    put(TWIN, "outside", 10, 1);
    cr_expect_eq(unreserve(model, "job"), 0);
    model_pass(model, 1);
    cr_expect(is_absent("0") && is_absent("599") && has("outside", 10, 1));
    const struct reply *reply = refused(put_as(OWNER, "new", 10, 1, LIFETIME_SESSION), ERROR_LIMIT);
    cr_expect(strstr(reply->error.sentence, "given up"), "%s", reply->error.sentence);
    model_pass(model, 5000);
    cr_expect_eq(used(), 2 * BOARD_PART_BYTES_LEAST, "those of the others");
    end();
}

/* ---- the end ---- */

Test(boards, they_end_with_the_broker)
{
    begin(0);
    put_as(OWNER, "kept", 10, 1, LIFETIME_KEEP);
    put(OTHER, "session", 10, 1);
    struct input input = {.kind = INPUT_SHUTDOWN};
    model_feed(model, &input);
    model_pass(model, 1);
    cr_expect_eq(used(), 0);
    cr_expect(is_absent("kept"));
    end();
}

Test(boards, objects_do_not_outlive_a_restart)
{
    begin(0);
    put_as(OWNER, "kept", 10, 1, LIFETIME_KEEP);
    model_restart(model);
    cr_expect(is_absent("kept"));
    put(OWNER, "kept", 10, 2);
    cr_expect(has("kept", 10, 2));
    end();
}
