/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that are being created: what they count in the meantime, and creations that fail. */
#include <errno.h>

#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

static struct model *with_one_client(void)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    return model;
}

static int no_ram(const struct effect_make *make)
{
    return make->location == LOCATION_RAM ? -ENODEV : 0;
}

static int nothing(const struct effect_make *make)
{
    return make->location == LOCATION_RAM ? -ENOMEM : -ENOSPC;
}

Test(making, a_segment_that_goes_to_a_file_is_in_progress_once)
{
    struct model *model = with_one_client();
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = MIB, .location = LOCATION_AUTO, .numa_node = -1};
    model->options.settings.requests_max = model->options.settings.user_requests_max = 1;
    model_configure(model);
    for (int i = 0; i < 3; i++) {
        model->fail_making = no_ram;
        const struct reply *reply = model_request(model, 0, &request);
        granted(reply);
        cr_expect_eq(reply->grant.location, LOCATION_MMAP);
        model->fail_making = nothing;
        refused(model_request(model, 0, &request), ERROR_DISK_FULL);
    }
    model->fail_making = no_ram;
    model->hold_makes = true;
    cr_expect_null(model_request(model, 0, &request));
    refused(model_acquire(model, 0, MIB, LOCATION_MMAP, 0), ERROR_TOO_MANY);
    model->hold_makes = false;
    model_finish(model);
    granted(model_acquire(model, 0, MIB, LOCATION_MMAP, 0));
    model_free(model);
}

Test(making, reports_about_a_segment_being_created_leave_it_in_progress)
{
    struct model *model = with_one_client();
    struct segment_view view;
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_assert(broker_next_segment(model->broker, 0, &view));
    struct input tampered = {.kind = INPUT_SEGMENT_TAMPERED, .segment = {.segment = view.id}};
    model_feed(model, &tampered); /* the invariants are checked in each step */
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(model_status(model).leases, 1);
    model_free(model);
}

/* ---- what the pool makes ---- */

/* A limit of 16 MiB, and a pool that is making one segment of 8. */
static struct model *with_a_pool_that_makes(uint64_t max_mapped)
{
    struct model *model = model_new(0, 16 * MIB, max_mapped);
    model->hold_makes = true;
    model->options.settings.pool = (struct pool_settings){.bytes = 8 * MIB, .sizes = {.bytes = {8 * MIB}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    cr_assert_eq(pool_bytes(&model->broker->pool), 8 * MIB);
    cr_assert_eq(pool_ready_bytes(&model->broker->pool), 0);
    return model;
}

Test(making, a_segment_the_pool_is_creating_causes_no_refusal)
{
    struct model *model = with_a_pool_that_makes(0);
    cr_expect_null(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 0), "it waits, though it did not ask to");
    uint64_t request = model->next_request;
    model->hold_makes = false;
    model_finish(model);
    granted(model_answer(model, request));
    cr_expect_eq(model_status(model).used_bytes, 12 * MIB, "and the pool makes no more for now");
    model_free(model);
}

Test(making, a_segment_the_pool_is_creating_serves_a_request_for_that_size)
{
    struct model *model = with_a_pool_that_makes(0);
    model->hold_makes = false;
    model->options.settings.limits.max_physical_bytes = 8 * MIB;
    model->broker->host.limits.max_physical_bytes = 8 * MIB;
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0));
    uint64_t request = model->next_request;
    model->hold_makes = false;
    model_finish(model);
    granted(model_answer(model, request));
    cr_expect_eq(model_status(model).pool_hits, 1);
    model_free(model);
}

Test(making, a_pool_segment_that_cannot_be_created_makes_room)
{
    struct model *model = with_a_pool_that_makes(0);
    cr_expect_null(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 0));
    uint64_t request = model->next_request;
    model->segments[0].error = -ENOMEM;
    model->hold_makes = false;
    model_finish(model);
    granted(model_answer(model, request));
    model_free(model);
}

Test(making, a_pool_that_takes_too_long_is_named_and_auto_goes_to_a_file)
{
    struct model *model = with_a_pool_that_makes(64 * MIB);
    cr_expect_null(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 0));
    uint64_t in_ram = model->next_request;
    cr_expect_null(model_acquire(model, 0, 12 * MIB, LOCATION_AUTO, 0));
    uint64_t either = model->next_request;
    model_pass(model, 4999);
    cr_expect_null(model_answer(model, in_ram));
    model_pass(model, 250);
    const struct reply *reply = refused(model_answer(model, in_ram), ERROR_LIMIT);
    cr_expect(strstr(reply->error.sentence, "(8 MiB of that by the broker's pool, "), "%s", reply->error.sentence);
    cr_expect_eq(reply->error.refusal.pool_bytes, 8 * MIB);
    cr_expect_eq(model_existing(model, LOCATION_MMAP), 12 * MIB, "the other is being made as a file");
    reply = refused(model_acquire(model, 0, 64 * MIB + 1, LOCATION_MMAP, 0), ERROR_LIMIT);
    cr_expect_eq(reply->error.refusal.pool_bytes, 0, "it is not in the way of files");
    reply = refused(model_acquire(model, 0, 64 * MIB + 1, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_eq(reply->error.refusal.pool_bytes, 0, "nor of what is larger than the limit");
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(granted(model_answer(model, either)), 1);
    model_free(model);
}

Test(making, a_request_that_does_not_fit_without_the_pool_is_refused_immediately)
{
    struct model *model = with_a_pool_that_makes(0);
    model->hold_makes = false;
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    model_free(model);
    model = with_a_pool_that_makes(0);
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0));
    refused(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    model_free(model);
}
