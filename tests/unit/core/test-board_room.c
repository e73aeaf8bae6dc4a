/* SPDX-License-Identifier: Apache-2.0 */
/* What is given up for objects before a put is refused, and what the refusal says. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/publishing.h"
#include "tests/unit/core/putting.h"

TestSuite(board_room);

enum { OWNER };

static struct model *model;

static void begin(uint64_t max_physical)
{
    model = model_new(0, max_physical, 64 * MIB);
    model->boards.key = 7;
    model_open_as(model, OWNER, "a", 1000);
}

static void end(void)
{
    model_free(model);
}

static const struct reply *put(const char *name)
{
    return put_object(model, OWNER, name, 10, 1, LIFETIME_SESSION);
}

static size_t explained(struct why_entry why[1])
{
    return broker_explain(model->broker, &model_root, 0, model->now, why, 1);
}

/* Whether the put is refused for what is on its way back. */
static bool is_to_come_again(const struct reply *reply)
{
    return refused(reply, ERROR_LIMIT)->error.comes_free;
}

Test(board_room, the_pool_is_given_up_first)
{
    struct why_entry why[1];
    begin(4 * MIB);
    model->options.settings.pool = (struct pool_settings){.bytes = 4 * MIB, .sizes = {.bytes = {4 * MIB}, .count = 1}};
    model_configure(model);
    model_finish(model);
    cr_assert_eq(model_status(model).pooled_bytes, 4 * MIB);
    model->hold_frees = true;
    cr_expect(is_to_come_again(put("x")));
    cr_expect(is_to_come_again(put("x")), "the bytes are not free yet");
    cr_expect_eq(explained(why), 0, "this is no refusal for good");
    model->hold_frees = false;
    model_finish(model);
    cr_expect_eq(put("x")->kind, REPLY_DONE);
    cr_expect_eq(model_status(model).used_physical_bytes, BOARD_PART_BYTES_LEAST);
    end();
}

Test(board_room, blocks_that_nobody_reads_are_evicted)
{
    begin(2 * MIB);
    leave_block(model, OWNER, "cached", LIFETIME_CACHE);
    granted(model_acquire(model, OWNER, MIB, LOCATION_RAM, 0));
    cr_expect(is_to_come_again(put("x")));
    cr_expect_eq(put("x")->kind, REPLY_DONE);
    refused(attach_block(model, OWNER, "cached", 0), ERROR_BLOCK_ENDED);
    end();
}

Test(board_room, a_refusal_names_the_limit_and_is_remembered)
{
    struct why_entry why[1];
    begin(MIB);
    granted(model_acquire(model, OWNER, MIB, LOCATION_RAM, 0));
    const struct reply *reply = put("x");
    cr_expect(!is_to_come_again(reply));
    cr_expect(strstr(reply->error.sentence, "needs 64 KiB of RAM more, and the host's max_physical_bytes is 1 MiB") &&
                  strstr(reply->error.sentence, "0 bytes are free"),
              "%s", reply->error.sentence);
    cr_expect_eq(reply->error.refusal.asked_bytes, BOARD_PART_BYTES_LEAST);
    cr_assert_eq(explained(why), 1);
    cr_expect_eq(why[0].refusal.asked_bytes, BOARD_PART_BYTES_LEAST);
    cr_expect_eq(model->broker->counters.refused, 1);
    end();
}

Test(board_room, pressure_pauses_the_growth_of_boards)
{
    struct input full = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_FULL};
    struct input none = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_NONE};
    begin(16 * MIB);
    model->options.settings.pause_at = PRESSURE_FULL;
    model_configure(model);
    model_feed(model, &full);
    const struct reply *reply = refused(put("x"), ERROR_HOST_MEMORY);
    cr_expect(strstr(reply->error.sentence, "pause_ram_at") && !reply->error.comes_free, "%s", reply->error.sentence);
    model_feed(model, &none);
    cr_expect_eq(put("x")->kind, REPLY_DONE);
    model_feed(model, &full);
    cr_expect_eq(put("y")->kind, REPLY_DONE, "the board has room");
    end();
}

Test(board_room, a_put_without_an_answer_is_refused_in_silence)
{
    struct input input = {.kind = INPUT_REQUEST, .peer = model_cookie(OWNER)};
    begin(MIB);
    granted(model_acquire(model, OWNER, MIB, LOCATION_RAM, 0));
    struct request request = putting_object("x", 10, 1);
    input.session = session_table_next(&model->broker->sessions, 0)->id;
    input.request.request = &request;
    model_feed(model, &input);
    cr_expect_eq(model->broker->counters.refused, 1);
    end();
}
