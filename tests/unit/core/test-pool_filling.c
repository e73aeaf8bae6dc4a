/* SPDX-License-Identifier: Apache-2.0 */
/* When the pool creates segments in the place of those that it has lent. */
#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

TestSuite(pool_filling);

static struct pool_size *size_of(struct model *model, uint64_t bytes)
{
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        if (model->broker->pool.sizes[i].bytes == bytes) {
            return &model->broker->pool.sizes[i];
        }
    }
    return NULL;
}

/* Four of 1 MiB are ready, and none is being created. */
static struct model *with_four_ready(void)
{
    uint64_t leases[4];
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.pool = (struct pool_settings){.bytes = 8 * MIB};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model->hold_makes = true;
    for (int i = 0; i < 4; i++) {
        (void)model_acquire(model, 0, MIB, LOCATION_RAM, 0);
    }
    model->hold_makes = false;
    model_finish(model);
    for (size_t i = 0; i < 4; i++) {
        leases[i] = i + 1;
        model_release(model, 0, leases[i]);
    }
    model_pass(model, 100);
    cr_assert_eq(size_of(model, MIB)->ready, 4);
    model->hold_makes = true;
    return model;
}

Test(pool_filling, a_burst_is_served_before_the_pool_is_filled_again)
{
    struct model *model = with_four_ready();
    (void)granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect(size_of(model, MIB)->ready == 3 && size_of(model, MIB)->making == 0, "enough are left");
    (void)granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect(size_of(model, MIB)->ready == 2 && size_of(model, MIB)->making == 1, "half of them are gone");
    model_free(model);
}

Test(pool_filling, begins_again_when_a_burst_is_over)
{
    struct model *model = with_four_ready();
    (void)granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    model_pass(model, 9);
    cr_expect_eq(size_of(model, MIB)->making, 0);
    model_pass(model, 2);
    cr_expect_eq(size_of(model, MIB)->making, 1);
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(size_of(model, MIB)->ready, 4);
    model_free(model);
}
