/* SPDX-License-Identifier: Apache-2.0 */
/* Who is named when blocks hold what a request asks for; and the figures of blocks. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/core/publishing.h"

TestSuite(blocks_holding);

enum { OWNER, OTHER, BIGGEST = 4 };

static struct model *model;

static void begin(uint64_t max_physical)
{
    model = model_new(0, max_physical, 0);
    model_open_as(model, OWNER, "trainer", 1000);
    model_open_as(model, OTHER, "reader", 1001);
}

static const struct reply *refuse(int peer)
{
    return refused(model_acquire(model, peer, BIGGEST * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
}

static void expect_sentence(const struct reply *reply, const char *words)
{
    cr_expect(strstr(reply->error.sentence, words), "%s: %s", words, reply->error.sentence);
}

Test(blocks_holding, a_refusal_names_them_and_what_ends_them)
{
    begin(BIGGEST * MIB);
    leave_block(model, OWNER, "weights", LIFETIME_KEEP);
    const struct reply *reply = refuse(OWNER);
    const struct holder *holder = &reply->error.refusal.holders[0];
    cr_assert_eq(reply->error.refusal.holder_count, 1);
    cr_expect(holder->block && holder->views == 0 && !holder->has_ended && !holder->session && !holder->pid);
    cr_expect(holder->uid == 1000 && holder->bytes == MIB);
    cr_expect_str_eq(holder->name, "weights");
    expect_sentence(reply, " Largest holders: block \"weights\" of uid 1000 (0 views) 1 MiB.");
    expect_sentence(reply, "release leases, unpublish blocks (membrokerctl unpublish NAME), or raise");
    cr_expect_eq(attach_block(model, OWNER, "weights", 0)->kind, REPLY_ATTACHED);
    expect_sentence(refuse(OWNER), "of uid 1000 (1 view) 1 MiB");
    unpublish_block(model, OWNER, "weights");
    expect_sentence(refuse(OWNER), "block \"weights\" of uid 1000 (ended, 1 view) 1 MiB");
    granted(model_acquire(model, OWNER, 2 * MIB, LOCATION_RAM, 0));
    expect_sentence(refuse(OWNER), "Largest holders: trainer (pid 100, uid 1000) 2 MiB, block \"weights\"");
    model_free(model);
}

Test(blocks_holding, who_may_not_see_them_is_told_whose_they_are)
{
    begin(BIGGEST * MIB);
    (void)publish_block(model, OWNER, "weights", LIFETIME_SESSION);
    const struct reply *reply = refuse(OTHER);
    cr_expect_str_eq(reply->error.refusal.holders[0].name, "");
    cr_expect(reply->error.refusal.holders[0].block && reply->error.refusal.holders[0].views == 1);
    expect_sentence(reply, "Largest holders: a block of uid 1000 (1 view) 1 MiB.");
    model_free(model);
}

Test(blocks_holding, one_that_would_never_fit_is_not_told_to_unpublish)
{
    begin(2 * MIB);
    leave_block(model, OWNER, "weights", LIFETIME_KEEP);
    cr_expect_null(strstr(refuse(OWNER)->error.sentence, "unpublish"));
    model_free(model);
}

Test(blocks_holding, those_that_are_being_freed_are_not_named)
{
    begin(2 * MIB);
    leave_block(model, OWNER, "weights", LIFETIME_KEEP);
    model->hold_frees = true;
    unpublish_block(model, OWNER, "weights");
    cr_expect_eq(refuse(OTHER)->error.refusal.holder_count, 0);
    model_free(model);
}

/* Every step checks all invariants, so there are not many more than are looked at. */
Test(blocks_holding, the_oldest_are_looked_at)
{
    enum { MANY = 520 };
    begin((uint64_t)MANY * MIB);
    model->options.settings.sharing.blocks_max = MANY;
    model_configure(model);
    for (int i = 0; i < MANY; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n%d", i);
        leave_block(model, OWNER, name, LIFETIME_KEEP);
    }
    const struct reply *reply = refuse(OWNER);
    cr_expect_eq(reply->error.refusal.holder_count, 3);
    cr_expect_str_eq(reply->error.refusal.holders[0].name, "n0");
    model_free(model);
}

Test(blocks_holding, the_status_has_their_figures)
{
    begin(BIGGEST * MIB);
    uint64_t lease = publish_block(model, OWNER, "session", LIFETIME_SESSION);
    leave_block(model, OWNER, "cache", LIFETIME_CACHE);
    leave_block(model, OWNER, "kept", LIFETIME_KEEP);
    cr_expect_eq(attach_block(model, OTHER, "kept", 0)->kind, REPLY_ATTACHED);
    struct block_figures figures = model_status(model).blocks;
    cr_expect(figures.blocks == 3 && figures.views == 1 && figures.published == 3 && figures.attached == 1);
    for (enum lifetime lifetime = LIFETIME_SESSION; lifetime < LIFETIMES; lifetime++) {
        cr_expect_eq(figures.bytes[lifetime], MIB);
    }
    granted(model_acquire(model, OTHER, 2 * MIB, LOCATION_RAM, 0));
    model_release(model, OWNER, lease);
    figures = model_status(model).blocks;
    cr_expect(figures.blocks == 1 && figures.evicted == 1 && figures.published == 3);
    cr_expect(figures.bytes[LIFETIME_SESSION] == 0 && figures.bytes[LIFETIME_CACHE] == 0);
    model_free(model);
}

Test(blocks_holding, the_list_of_leases_says_who_has_which_block)
{
    begin(BIGGEST * MIB);
    struct lease_entry entries[4];
    bool more;
    uint64_t own = publishable(model, OWNER);
    cr_assert_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, entries, 4, &more), 1);
    cr_expect(!entries[0].block && entries[0].bytes == MIB, "it is not published yet");
    cr_expect_eq(publish_lease(model, OWNER, own, "weights", LIFETIME_KEEP, 0)->kind, REPLY_DONE);
    const struct reply *reply = attach_block(model, OWNER, "weights", 0);
    cr_assert_eq(reply->kind, REPLY_ATTACHED);
    uint64_t block = reply->attached.block;
    cr_assert_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, entries, 4, &more), 2);
    for (int i = 0; i < 2; i++) {
        cr_expect(entries[i].block == block && entries[i].bytes == 0 && entries[i].session);
        cr_expect_str_eq(entries[i].name, "weights");
    }
    unpublish_block(model, OWNER, "weights");
    cr_assert_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, entries, 4, &more), 2);
    cr_expect_eq(entries[1].block, block, "it keeps the block, which has lost its name");
    model_free(model);
}
