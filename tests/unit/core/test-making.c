/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that are being made: what is counted meanwhile, and makings that fail. */
#include <errno.h>

#include "tests/unit/core/sharing.h"

static struct model *with_one_client(void)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model_open(model, 0, LIMIT_UNSAID);
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

Test(making, a_segment_that_spills_is_under_way_once_and_no_longer_than_it_is_made)
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

Test(making, what_is_said_of_a_segment_in_the_making_leaves_it_under_way)
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
