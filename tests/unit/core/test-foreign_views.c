/* SPDX-License-Identifier: Apache-2.0 */
/* Another user's view of a block that has ended ends within the grace time, whatever its holder or an administrator
 * does. */
#include "tests/unit/core/publishing.h"

TestSuite(foreign_views);

enum { OWNER, OTHER, GRACE_MS = 5000 };

static struct model *model;
static uint64_t view;

/* The other user has a view of a block that was unpublished just now. */
static void begin(void)
{
    model = model_new(0, 16 * MIB, 0);
    model->options.settings.sharing.grace_ms = GRACE_MS;
    model_configure(model);
    model_open_as(model, OWNER, "trainer", 1000);
    model_open_as(model, OTHER, "reader", 1001);
    leave_block(model, OWNER, "n", LIFETIME_KEEP);
    const struct reply *reply = attach_block(model, OTHER, "n", 0);
    cr_assert_eq(reply->kind, REPLY_ATTACHED);
    view = reply->attached.lease;
    cr_assert_eq(unpublish_block(model, OWNER, "n")->kind, REPLY_DONE);
}

/* Lets time pass, in which the other one renews unless it is frozen. */
static void live(uint64_t milliseconds)
{
    for (uint64_t passed = 0; passed < milliseconds; passed += 100) {
        model_pass(model, 100);
        if (passed % 1000 == 0 && !model->peers[OTHER].is_frozen) {
            model_renew(model, OTHER);
        }
    }
}

static void expect_end_after(uint64_t milliseconds)
{
    live(milliseconds - 100);
    cr_expect_eq(model_status(model).used_bytes, MIB);
    live(200);
    cr_expect_eq(model_status(model).used_bytes, 0, "its owner can use the bytes again");
    refused(model_release(model, OTHER, view), ERROR_LEASE_ENDED);
    model_free(model);
}

Test(foreign_views, end_after_the_grace)
{
    begin();
    expect_end_after(GRACE_MS);
}

/* Leases of a frozen process don't expire; this one ends even so. */
Test(foreign_views, of_a_frozen_process_end_too)
{
    begin();
    model->peers[OTHER].is_frozen = true;
    expect_end_after(GRACE_MS);
}

Test(foreign_views, keep_the_grace_that_they_had_when_another_is_configured)
{
    begin();
    live(1000);
    model->options.settings.sharing.grace_ms = 1000 * GRACE_MS;
    model_configure(model);
    expect_end_after(GRACE_MS - 1000);
    begin();
    live(1000);
    model->options.settings.sharing.grace_ms = 10;
    model_configure(model);
    expect_end_after(GRACE_MS - 1000);
}

/* "It was released" is said of the publisher's lease: its reader has not let go of anything. */
Test(foreign_views, are_told_that_they_ended_if_the_publisher_released_the_block)
{
    model = model_new(0, 16 * MIB, 0);
    model_open_as(model, OWNER, "trainer", 1000);
    model_open_as(model, OTHER, "reader", 1001);
    uint64_t lease = publish_block(model, OWNER, "n", LIFETIME_SESSION);
    view = attach_block(model, OTHER, "n", 0)->attached.lease;
    model_release(model, OWNER, lease);
    live(GRACE_MS + 100);
    cr_expect_eq(model_events(model, OTHER, EVENT_LEASE_ENDED), 1);
    cr_expect_eq(model->slot_reason, END_RELEASED);
    cr_expect_eq(model_status(model).used_bytes, 0);
    model_free(model);
}
