/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: what it creates in advance, lends, forgets and frees. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

TestSuite(pool);

Test(pool, a_ready_segment_is_lent_and_another_is_created)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model->options.settings.pool = (struct pool_settings){.bytes = 4 * MIB, .sizes = {.bytes = {MIB}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model->hold_makes = true;
    const struct reply *reply = model_acquire(model, 0, MIB, LOCATION_RAM, 0);
    granted(reply);
    cr_expect(reply->grant.is_present);
    cr_expect_eq(reply->grant.charge, CHARGE_BROKER);
    cr_expect_eq(model_status(model).pool_hits, 1);
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(model_status(model).pooled_bytes, MIB);
    model_free(model);
}

/* Entries of the list beyond its count say nothing. */
Test(pool, only_sizes_that_are_counted_are_prepared)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model->options.settings.pool =
        (struct pool_settings){.bytes = 8 * MIB, .sizes = {.bytes = {MIB, 2 * MIB}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_finish(model);
    cr_expect_eq(model_status(model).pooled_bytes, MIB);
    model_free(model);
}

/* 2 MiB were asked for three times: one segment of that size is ready. */
static struct model *with_a_wanted_size(void)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.pool = (struct pool_settings){.bytes = 8 * MIB};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    for (int i = 0; i < 3; i++) {
        model_release(model, 0, granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 0)));
    }
    return model;
}

Test(pool, sizes_that_are_asked_for_are_prepared_and_forgotten_again)
{
    struct model *model = with_a_wanted_size();
    cr_expect_eq(model_status(model).pool_hits, 2);
    cr_expect_eq(model_status(model).pool_misses, 1);
    cr_expect_eq(model_status(model).used_bytes, 2 * MIB, "one is ready");
    model_pass(model, 61000);
    cr_expect_eq(model_status(model).used_bytes, 0);
    model_free(model);
}

Test(pool, the_pool_makes_room_before_a_refusal)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model->options.settings.pool = (struct pool_settings){.bytes = 4 * MIB, .sizes = {.bytes = {4 * MIB}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    cr_expect_eq(model_status(model).pooled_bytes, 4 * MIB);
    model->hold_frees = true;
    cr_expect_null(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0), "it waits for the pool's bytes to be free");
    model->hold_frees = false;
    model_finish(model);
    granted(model_answer(model, model->next_request));
    refused(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    model_free(model);
}

Test(pool, a_client_that_is_charged_gets_no_page_that_the_broker_touched)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    rule.quota.charge = CHARGE_CLIENT;
    struct model *model = with_rule(16 * MIB, &rule);
    struct policy policy = {.rules = &rule, .rule_count = 1};
    model->options.settings.policy = &policy;
    model->options.settings.pool = (struct pool_settings){.bytes = 4 * MIB, .sizes = {.bytes = {MIB}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire =
        (struct acquire_request){.bytes = MIB, .location = LOCATION_RAM, .numa_node = -1, .prefault = true};
    const struct reply *reply = model_request(model, 0, &request);
    granted(reply);
    cr_expect_eq(reply->grant.charge, CHARGE_CLIENT);
    cr_expect_not(reply->grant.is_present);
    cr_expect(reply->grant.prefault, "the client does it");
    cr_expect_eq(model_status(model).pool_hits, 0);
    model_free(model);
}

Test(pool, the_pool_forgets_the_least_recently_used_size)
{
    struct model *model = model_new(0, 4096 * MIB, 0);
    model->options.settings.pool = (struct pool_settings){.bytes = 64 * MIB, .sizes = {.bytes = {MIB}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    for (uint64_t pages = 1; pages <= (uint64_t)POOL_SIZES_MAX * 2; pages++) {
        const struct reply *reply = model_acquire(model, 0, pages * MODEL_PAGE, LOCATION_RAM, 0);
        cr_assert(reply->kind == REPLY_GRANT);
        model_pass(model, 5);
        cr_assert_leq(model_status(model).pooled_bytes, 64 * MIB);
        (void)model_release(model, 0, reply->grant.lease);
    }
    model_pass(model, 120000);
    cr_expect_eq(model_status(model).pooled_bytes, MIB, "but the configured one stays");
    model->options.settings.pool.bytes = 0;
    model_configure(model);
    model_pass(model, 1000);
    cr_expect_eq(model_status(model).pooled_bytes, 0);
    model_free(model);
}

/* ---- its bounds ---- */

static struct model *with_pool(uint64_t bytes)
{
    struct model *model = model_new(0, 4096 * MIB, 0);
    model->options.settings.pool.bytes = bytes;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    return model;
}

static struct pool_size *size_of(struct model *model, uint64_t bytes)
{
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        if (model->broker->pool.sizes[i].bytes == bytes) {
            return &model->broker->pool.sizes[i];
        }
    }
    return NULL;
}

static void name_sizes(struct model *model, size_t count, uint64_t first)
{
    struct pool_settings *settings = &model->options.settings.pool;
    for (size_t i = 0; i < count; i++) {
        settings->sizes.bytes[i] = first + i * MODEL_PAGE;
    }
    settings->sizes.count = count;
}

/* A request that finds nothing ready: the size gets a place in the table, if there is one. */
static void ask(struct model *model, uint64_t bytes)
{
    model_release(model, 0, granted(model_acquire(model, 0, bytes, LOCATION_RAM, 0)));
    model_pass(model, 10);
}

Test(pool, a_table_full_of_configured_sizes_takes_no_other_size)
{
    struct model *model = with_pool(64 * MIB);
    name_sizes(model, POOL_SIZES_MAX, MODEL_PAGE);
    model_configure(model);
    ask(model, 2 * MIB);
    cr_expect_null(size_of(model, 2 * MIB));
    cr_expect_eq(model_status(model).pool_misses, 1);
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        cr_expect_not_null(size_of(model, (i + 1) * MODEL_PAGE));
    }
    model_free(model);
}

Test(pool, a_size_with_a_ready_segment_keeps_its_place)
{
    enum { IDLE = POOL_SIZES_MAX - 3 };
    struct model *model = with_pool(32 * MIB);
    name_sizes(model, 1, MODEL_PAGE);
    model_configure(model);
    ask(model, MIB);
    cr_assert_eq(size_of(model, MIB)->ready, 1);
    for (uint64_t i = 0; i < IDLE; i++) { /* only one of these fits, and the first takes all the room there is */
        ask(model, 20 * MIB + i * MODEL_PAGE);
    }
    cr_assert_eq(size_of(model, 20 * MIB)->ready, 1);
    model->hold_makes = true;
    (void)model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 0);
    model->hold_makes = false;
    cr_assert_not_null(size_of(model, 2 * MIB));
    model_finish(model);
    model->hold_makes = true;
    (void)model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 0);
    cr_assert_eq(size_of(model, 2 * MIB)->making, 1);
    cr_assert_eq(size_of(model, 2 * MIB)->ready, 0);
    model->now += NANOSECONDS_PER_MILLISECOND;
    (void)model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0);
    cr_expect_not_null(size_of(model, 4 * MIB));
    cr_expect_null(size_of(model, 20 * MIB + MODEL_PAGE), "of the idle ones the one asked for longest ago went");
    cr_expect(size_of(model, MODEL_PAGE) && size_of(model, MIB) && size_of(model, 20 * MIB) && size_of(model, 2 * MIB));
    for (uint64_t i = 2; i < IDLE; i++) {
        cr_expect_not_null(size_of(model, 20 * MIB + i * MODEL_PAGE));
    }
    model_free(model);
}

Test(pool, the_least_recently_used_idle_size_is_dropped)
{
    struct model *model = with_pool(20 * MIB);
    ask(model, 20 * MIB);
    for (uint64_t i = 1; i < POOL_SIZES_MAX; i++) {
        ask(model, 10 * MIB + i * MODEL_PAGE);
    }
    ask(model, 10 * MIB + MODEL_PAGE);
    ask(model, MIB);
    cr_expect(size_of(model, 10 * MIB + MODEL_PAGE) && size_of(model, MIB));
    cr_expect_null(size_of(model, 10 * MIB + 2 * MODEL_PAGE));
    model_free(model);
}

Test(pool, ready_segments_are_not_lent_beyond_a_limit)
{
    struct model *model = with_pool(8 * MIB);
    name_sizes(model, 1, 4 * MIB);
    model_configure(model);
    model_open(model, 2, MIB);
    const struct reply *reply = refused(model_acquire(model, 2, 4 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_str_eq(reply->error.refusal.whose, "client");
    cr_expect_eq(model_status(model).pooled_bytes, 4 * MIB);
    model_free(model);
}

Test(pool, impossible_sizes_are_skipped)
{
    struct model *model = with_pool(8 * MIB);
    struct pool_settings *settings = &model->options.settings.pool;
    settings->sizes.bytes[0] = 0;
    settings->sizes.bytes[1] = UINT64_MAX;
    settings->sizes.bytes[2] = MIB;
    settings->sizes.count = 3;
    model_configure(model);
    cr_expect_eq(model_status(model).pooled_bytes, MIB);
    model_free(model);
}

/* Very many ready segments of four sizes, more than one step can give up. */
static struct model *with_many_ready(void)
{
    struct model *model = with_pool(64 * MIB);
    for (uint64_t pages = 1; pages <= 4; pages++) {
        ask(model, pages * MODEL_PAGE);
        size_of(model, pages * MODEL_PAGE)->wanted = 64;
    }
    model_pass(model, 1000);
    for (int i = 0; i < 300; i++) { /* one is made in a step */
        struct input tick = {.kind = INPUT_TICK};
        model_feed(model, &tick);
    }
    cr_assert_eq(size_of(model, MODEL_PAGE)->ready, 64);
    cr_assert_eq(size_of(model, 4 * (uint64_t)MODEL_PAGE)->ready, 64);
    return model;
}

static size_t count_freeing(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->segment_count; i++) {
        count += model->segments[i].freeing;
    }
    return count;
}

Test(pool, a_burst_raises_the_number_of_ready_segments_up_to_a_bound)
{
    struct model *model = with_pool(64 * MIB);
    model->options.settings.pool.bytes = MODEL_PAGE; /* one at most is ever ready */
    model_configure(model);
    model->hold_makes = true;
    for (int i = 0; i < 80; i++) {
        (void)model_acquire(model, i % 2, MODEL_PAGE, LOCATION_RAM, 0);
    }
    cr_expect_eq(size_of(model, MODEL_PAGE)->wanted, 64);
    model_free(model);
}

Test(pool, the_pool_is_freed_in_bounded_steps)
{
    struct model *model = with_many_ready();
    model->hold_frees = true;
    model->options.settings.pool.bytes = 0;
    model_configure(model);
    size_t freeing = count_freeing(model);
    cr_expect(freeing > 100 && freeing < 256, "%zu in one step", freeing);
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 10);
    cr_expect_eq(model_status(model).pooled_bytes, 0);
    cr_expect_leq(model->largest_step, EFFECTS_MAX);
    model_free(model);
}

Test(pool, idle_sizes_make_room_for_used_ones_one_step_later)
{
    struct model *model = with_many_ready();
    name_sizes(model, 1, 9 * (uint64_t)MODEL_PAGE);
    model->hold_makes = model->hold_frees = true;
    model->now += 61 * NANOSECONDS_PER_SECOND;
    model_configure(model);
    cr_expect_gt(count_freeing(model), 100);
    cr_expect_eq(size_of(model, 9 * (uint64_t)MODEL_PAGE)->making, 0, "the step was full");
    model->hold_makes = model->hold_frees = false;
    model_finish(model);
    cr_expect_eq(size_of(model, 9 * (uint64_t)MODEL_PAGE)->ready, 1);
    model_free(model);
}

Test(pool, a_shutdown_frees_the_pool_in_more_than_one_step)
{
    struct model *model = with_many_ready();
    struct input shutdown = {.kind = INPUT_SHUTDOWN};
    model->hold_frees = true;
    model->now += 61 * NANOSECONDS_PER_SECOND; /* all are out of use at the same moment */
    model_feed(model, &shutdown);
    cr_expect_gt(count_freeing(model), 100);
    cr_expect_eq(broker_next_wakeup(model->broker), 0, "there is more to do");
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 0);
    cr_expect(broker_is_empty(model->broker));
    model_free(model);
}

Test(pool, the_pool_frees_no_more_than_a_request_lacks)
{
    struct model *model = with_many_ready(); /* 64 of 1, 2, 3 and 4 pages: 640 pages */
    model->options.settings.limits.max_physical_bytes = 650 * MODEL_PAGE;
    model_configure(model);
    granted(model_acquire(model, 0, 20 * MODEL_PAGE, LOCATION_RAM, 0));
    uint64_t pooled = model_status(model).pooled_bytes;
    cr_expect_eq(pooled, 630 * MODEL_PAGE, "%llu", (unsigned long long)pooled);
    model_free(model);
}

Test(pool, a_request_waits_for_a_pool_that_is_freed_in_many_steps)
{
    struct model *model = with_many_ready();
    model->options.settings.limits.max_physical_bytes = 640 * MODEL_PAGE;
    model_configure(model);
    granted(model_acquire(model, 0, 200 * MODEL_PAGE, LOCATION_RAM, 0));
    cr_expect_leq(model_status(model).pooled_bytes, 440 * MODEL_PAGE);
    model_free(model);
}

/* Four MiB are ready of a host that lends eight; user 1000 may have six. */
static struct model *with_poor_user(void)
{
    struct policy_rule rule = user_rule(1000);
    rule.quota.limits.max_physical_bytes = 6 * MIB;
    struct model *model = with_rule(8 * MIB, &rule);
    struct policy policy = {.rules = &rule, .rule_count = 1};
    model->options.settings.policy = &policy;
    model->options.settings.pool = (struct pool_settings){.bytes = 4 * MIB, .sizes = {.bytes = {MIB}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    size_of(model, MIB)->wanted = 4;
    model_pass(model, 1000);
    for (int i = 0; i < 4; i++) {
        struct input tick = {.kind = INPUT_TICK};
        model_feed(model, &tick);
    }
    cr_assert_eq(model_status(model).pooled_bytes, 4 * MIB);
    model_forget(model);
    return model;
}

Test(pool, a_request_that_does_not_fit_without_the_pool_leaves_it_alone)
{
    struct model *model = with_poor_user();
    refused(model_acquire(model, 1, 9 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    refused(model_acquire(model, 0, 7 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_eq(model_status(model).pooled_bytes, 4 * MIB);
    granted(model_acquire(model, 1, 6 * MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_status(model).pooled_bytes, 2 * MIB, "half of it was lacking");
    model_free(model);
}

Test(pool, the_pool_is_left_alone_if_both_the_host_and_a_limit_are_short)
{
    struct model *model = with_poor_user();
    struct input host = {.kind = INPUT_HOST_MEMORY,
                         .host = {.available_bytes = 2 * MIB, .total_bytes = 7 * MIB + MODEL_PAGE}};
    model_feed(model, &host);
    refused(model_acquire(model, 0, 7 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    refused(model_acquire(model, 1, 8 * MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    cr_expect_eq(model_status(model).pooled_bytes, 4 * MIB);
    model->hold_frees = true;
    cr_expect_null(model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 0), "it waits for what the pool gives up");
    cr_expect_eq(model_status(model).pooled_bytes, 3 * MIB);
    model_free(model);
}

static void press(struct model *model, enum pressure level)
{
    struct input input = {.kind = INPUT_PRESSURE, .pressure = level};
    model_feed(model, &input);
}

Test(pool, pressure_empties_the_pool_in_bounded_steps)
{
    struct model *model = with_many_ready();
    struct input tick = {.kind = INPUT_TICK};
    model->hold_frees = true;
    press(model, PRESSURE_SOME);
    for (size_t freeing = 32; freeing < 256; freeing += 32) {
        cr_expect_eq(count_freeing(model), freeing);
        cr_expect_eq(broker_next_wakeup(model->broker), 0, "there is more to do");
        model_feed(model, &tick);
    }
    cr_expect_eq(count_freeing(model), 256);
    cr_expect_gt(broker_next_wakeup(model->broker), 0);
    model->hold_frees = false;
    model_finish(model);
    cr_expect_eq(model_existing(model, LOCATION_RAM), 0);
    press(model, PRESSURE_NONE);
    model_pass(model, 6000);
    cr_expect_gt(model_status(model).pooled_bytes, 0, "when it is over the pool fills again");
    model_free(model);
}

Test(pool, a_segment_being_created_when_pressure_starts_is_not_kept)
{
    struct model *model = with_pool(8 * MIB);
    name_sizes(model, 1, MIB);
    model->hold_makes = true;
    model_configure(model);
    press(model, PRESSURE_SOME);
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(model_existing(model, LOCATION_RAM), 0);
    model_free(model);
}

Test(pool, the_pool_lends_nothing_while_grants_of_ram_are_paused)
{
    struct model *model = with_many_ready();
    model->options.settings.pause_at = PRESSURE_SOME;
    model_configure(model);
    model->hold_frees = true;
    press(model, PRESSURE_SOME);
    cr_assert_gt(size_of(model, 4 * (uint64_t)MODEL_PAGE)->ready, 0, "one step does not take all");
    refused(model_acquire(model, 0, 4 * MODEL_PAGE, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    model_free(model);
}

Test(pool, an_audit_sees_what_is_ready_and_a_change_of_it_takes_no_lease)
{
    struct model *model = with_pool(8 * MIB);
    struct segment_view view;
    name_sizes(model, 1, MIB);
    model_configure(model);
    cr_assert(broker_next_segment(model->broker, 0, &view));
    cr_expect_eq(view.lease, 0);
    cr_expect_eq(view.state, SEGMENT_POOLED);
    cr_expect_not(broker_next_segment(model->broker, view.id, &view));
    struct input tampered = {.kind = INPUT_SEGMENT_TAMPERED, .segment = {.segment = view.id}};
    model_feed(model, &tampered);
    cr_expect_eq(model_status(model).pooled_bytes, MIB);
    model_free(model);
}

Test(pool, a_pool_that_is_switched_off_sets_no_timer)
{
    struct model *model = with_a_wanted_size();
    cr_expect_lt(broker_next_wakeup(model->broker), UINT64_MAX, "the size is to be forgotten");
    model->options.settings.pool.bytes = 0;
    model_configure(model);
    cr_expect_eq(model_status(model).used_bytes, 0);
    cr_expect_eq(broker_next_wakeup(model->broker), UINT64_MAX);
    model_pass(model, 61000);
    model_free(model);
}
