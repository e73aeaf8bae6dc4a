/* SPDX-License-Identifier: Apache-2.0 */
/* What replaces an object on a full board takes its place, if it fits there. */
#include <string.h>

#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/putting.h"

TestSuite(full_boards);

enum { OWNER, OBJECTS = 3 };

static struct model *model;
static char names[OBJECTS][MEETING_NAME_SIZE];

/* An object whose record takes so many granules. */
static size_t bytes_of(int number, uint32_t granules)
{
    return granules * BOARD_GRANULE_BYTES - sizeof(struct board_record) - strlen(names[number]);
}

static const struct reply *put(int number, uint32_t granules, uint8_t value)
{
    return put_object(model, OWNER, names[number], bytes_of(number, granules), value, LIFETIME_SESSION);
}

static void put_well(int number, uint32_t granules, uint8_t value)
{
    const struct reply *reply = put(number, granules, value);
    cr_assert(reply->kind == REPLY_DONE, "%s", reply->error.sentence);
}

static bool has(int number, uint32_t granules, uint8_t value)
{
    static uint8_t buffer[MESSAGE_OBJECT_MAX];
    size_t bytes = bytes_of(number, granules);
    bool is_right = board_model_read(&model->boards, 1000, names[number], buffer, sizeof buffer) == (int)bytes;
    for (size_t i = 0; i < bytes; i++) {
        is_right = is_right && buffer[i] == value;
    }
    return is_right;
}

/* One part, whose granules three objects of one bucket fill: the last one stands first. */
static void begin(void)
{
    model = model_for_putting(0);
    model->options.settings.sharing.board_bytes_max = BOARD_PART_BYTES_LEAST;
    model_configure(model);
    find_meeting_names(model->boards.key, names, OBJECTS);
    uint32_t left = (BOARD_PART_BYTES_LEAST - BOARD_BLOCK_BYTES) / BOARD_GRANULE_BYTES -
                    board_granules(sizeof(struct board_header));
    put_well(0, 300, 0);
    put_well(1, 300, 1);
    put_well(2, left - 600, 2);
}

static void end(void)
{
    cr_expect_eq(model_status(model).used_physical_bytes, BOARD_PART_BYTES_LEAST);
    model_free(model);
}

Test(full_boards, an_object_takes_the_place_of_the_one_that_it_replaces, .init = begin, .fini = end)
{
    put_well(1, 300, 11);
    cr_expect(has(0, 300, 0) && has(1, 300, 11));
    put_well(1, 100, 12);
    cr_expect(has(0, 300, 0) && has(1, 100, 12));
    put_well(1, 300, 13); /* with what is free before it */
    cr_expect(has(0, 300, 0) && has(1, 300, 13));
    put_well(1, 100, 14);
    put_well(2, 400, 21); /* with what is free behind it */
    cr_expect(has(0, 300, 0) && has(1, 100, 14) && has(2, 400, 21));
}

Test(full_boards, what_does_not_fit_there_is_refused_and_replaces_nothing, .init = begin, .fini = end)
{
    const struct reply *reply = put(0, 301, 10);
    cr_assert_eq(reply->kind, REPLY_ERROR);
    cr_expect_eq(reply->error.code, ERROR_TOO_MANY);
    cr_expect(has(0, 300, 0) && has(1, 300, 1));
}

Test(full_boards, without_memory_for_the_table_nothing_is_replaced, .init = begin, .fini = end)
{
    bool is_done = false;
    int refusals = -1;
    for (long number = 1; !is_done; number++, refusals++) {
        exhaustion_arm(number);
        const struct reply *reply = put(1, 100, 11);
        exhaustion_arm(0);
        is_done = reply->kind == REPLY_DONE;
        cr_expect(is_done ? has(1, 100, 11) : reply->error.code == ERROR_SYSTEM && has(1, 300, 1));
    }
    cr_expect_eq(refusals, 2, "the object, and the span that is left of the old one");
    cr_expect(has(0, 300, 0));
}
