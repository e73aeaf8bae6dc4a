/* SPDX-License-Identifier: Apache-2.0 */
/* What the core tells the shell of blocks: whose, who had published them, and at whose request they ended. */
#include "tests/unit/core/publishing.h"

TestSuite(block_events);

enum { OWNER };

static struct model *model;

static void begin(void)
{
    model = model_new(0, 16 * MIB, 0);
    model_open_as(model, OWNER, "trainer", 1000);
}

static void expect_end(enum end_reason reason, bool has_publisher, bool has_by)
{
    const struct effect_block *block = &model->block;
    cr_expect(block->change == BLOCK_CHANGE_ENDED && block->reason == reason && block->bytes == MIB);
    cr_expect(block->owner == 1000 && block->charged_uid == 1000);
    cr_expect_str_eq(block->name, "n");
    cr_expect_str_eq(block->class, "default");
    cr_expect_str_eq(block->client, has_publisher ? "trainer" : "");
    cr_expect_eq(block->session != 0, has_publisher);
    cr_expect(block->has_by == has_by && block->by_uid == (has_by ? 1000 : 0));
}

Test(block_events, a_publication_has_its_publisher)
{
    begin();
    (void)publish_block(model, OWNER, "n", LIFETIME_KEEP);
    cr_expect(model->block.change == BLOCK_CHANGE_PUBLISHED && model->block.lifetime == LIFETIME_KEEP);
    cr_expect_str_eq(model->block.client, "trainer");
    cr_expect_eq(model->block.reason, END_NONE);
    model_free(model);
}

Test(block_events, an_end_has_the_publisher_and_who_asked_for_it)
{
    begin();
    uint64_t lease = publish_block(model, OWNER, "n", LIFETIME_SESSION);
    model_release(model, OWNER, lease);
    expect_end(END_RELEASED, true, false);
    (void)publish_block(model, OWNER, "n", LIFETIME_SESSION);
    unpublish_block(model, OWNER, "n");
    expect_end(END_UNPUBLISHED, true, true);
    leave_block(model, OWNER, "n", LIFETIME_KEEP);
    unpublish_block(model, OWNER, "n");
    expect_end(END_UNPUBLISHED, false, true);
    model_free(model);
}
