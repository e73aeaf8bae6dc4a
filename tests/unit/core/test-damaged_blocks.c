/* SPDX-License-Identifier: Apache-2.0 */
/* What a damaged record of a block or a view can't do, and what no memory can't. */
#include <errno.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/restore.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/publishing.h"

TestSuite(damaged_blocks);

enum { OWNER };

static struct model *model;

static void begin(void)
{
    model = model_new(0, 64 * MIB, 0);
    model_open_as(model, OWNER, "a", 1000);
    model_open_as(model, 1, "c", 1001);
}

static void end(void)
{
    model_free(model);
}

/* ---- damaged records ---- */

static const struct kept_block good = {
    .segment = {.id = 1, .lease = 1, .session = 1, .bytes = MIB, .location = LOCATION_RAM, .generation = 1},
    .id = 1,
    .owner = 1000,
    .user = 1000,
    .group = KEPT_NO_GROUP,
    .lifetime = LIFETIME_KEEP,
    .name = "n"};

#define BAD(field, value)                                                                                              \
    do {                                                                                                               \
        struct kept_block damaged = good;                                                                              \
        damaged.field = value;                                                                                         \
        cr_expect_eq(broker_restore_block(model->broker, &damaged, NULL, model->now), -EINVAL, "%s", #field);          \
    } while (0)

Test(damaged_blocks, damaged_blocks_are_not_restored)
{
    begin();
    BAD(id, 0);
    BAD(name[0], 0);
    BAD(lifetime, (enum lifetime)3);
    BAD(access, (enum block_access)3);
    BAD(ended, END_REASONS);
    BAD(metadata.count, MESSAGE_METADATA_MAX + 1);
    struct kept_block bad = good;
    bad.lifetime = LIFETIME_CACHE;
    bad.keep_ns = 1;
    cr_expect_eq(broker_restore_block(model->broker, &bad, NULL, model->now), -EINVAL);
    BAD(segment.id, 0);
    BAD(segment.bytes, 5);
    BAD(segment.location, LOCATION_AUTO);
    bad = good;
    bad.segment.location = LOCATION_MMAP;
    bad.access = BLOCK_ACCESS_ALL;
    cr_expect_eq(broker_restore_block(model->broker, &bad, NULL, model->now), -EINVAL, "a file for others");
    bad = good;
    bad.has_publisher = true;
    bad.segment.generation = 2;
    cr_expect_eq(broker_restore_block(model->broker, &bad, NULL, model->now), -EINVAL);
    bad.segment.generation = 1;
    cr_expect_eq(broker_restore_block(model->broker, &bad, NULL, model->now), 0);
    cr_expect_eq(broker_restore_block(model->broker, &bad, NULL, model->now), -EEXIST);
    bad.segment.id = 2;
    cr_expect_eq(broker_restore_block(model->broker, &bad, NULL, model->now), -EEXIST);
    bad.id = 2;
    cr_expect_eq(broker_restore_block(model->broker, &bad, NULL, model->now), -EINVAL, "another lease of this number");
    bad.segment.lease = 2;
    cr_expect_eq(broker_restore_block(model->broker, &bad, NULL, model->now), -EINVAL, "another lease, same slot");
    struct kept_segment segment = bad.segment;
    segment.lease = 1;
    cr_expect_eq(broker_restore_segment(model->broker, &segment, NULL, model->now), -EINVAL, "the publisher's lease");
    broker_restore_done(model->broker, model->now);
    cr_expect_null(broker_check(model->broker));
    end();
}

Test(damaged_blocks, damaged_views_are_not_restored)
{
    begin();
    struct kept_view view = {.lease = 7, .session = 1, .block = 1, .slot = 1, .generation = 1, .ttl_ms = 1000};
    cr_expect_eq(broker_restore_view(model->broker, &view, model->now), -ENOENT, "no such block");
    cr_assert_eq(broker_restore_block(model->broker, &good, NULL, model->now), 0);
    view.session = 9;
    cr_expect_eq(broker_restore_view(model->broker, &view, model->now), -ENOENT, "no such session");
    view.session = 1;
    view.slot = UINT32_MAX;
    cr_expect_eq(broker_restore_view(model->broker, &view, model->now), -EINVAL);
    view.slot = 1;
    cr_expect_eq(broker_restore_view(model->broker, &view, model->now), 0);
    cr_expect_eq(broker_restore_view(model->broker, &view, model->now), -EINVAL);
    broker_restore_done(model->broker, model->now);
    cr_expect_null(broker_check(model->broker));
    end();
}

Test(damaged_blocks, what_is_no_block_or_view_is_not_kept_as_one)
{
    struct kept_block block;
    struct kept_view view;
    begin();
    uint64_t plain = publishable(model, OWNER), own = publish_block(model, OWNER, "n", LIFETIME_KEEP);
    cr_expect_not(broker_keep_view(model->broker, plain, &view));
    cr_expect_not(broker_keep_view(model->broker, own, &view));
    cr_expect_not(broker_keep_view(model->broker, 99, &view));
    cr_expect_not(broker_keep_block(model->broker, 99, model->now, &block));
    cr_expect_not(broker_keep_block(model->broker, 1, model->now, &block));
    model->hold_seals = true;
    cr_expect_null(publish_lease(model, OWNER, plain, "m", LIFETIME_KEEP, 0));
    cr_expect_not(broker_keep_block(model->broker, 1, model->now, &block));
    end();
}

/* ---- without memory ---- */

Test(damaged_blocks, without_memory_nothing_is_restored_by_half)
{
    static const uint8_t metadata[] = "m";
    begin();
    struct kept_block kept = good;
    kept.has_publisher = true;
    kept.metadata = (struct message_bytes){metadata, 1};
    const struct kept_view view = {.lease = 7, .session = 2, .block = 1, .generation = 1, .ttl_ms = 1000};
    long failed = 0;
    int result;
    do {
        exhaustion_arm(++failed);
        result = broker_restore_block(model->broker, &kept, NULL, model->now);
        exhaustion_arm(0);
        cr_assert(result == 0 || result == -ENOMEM);
    } while (result);
    cr_expect_gt(failed, 4);
    exhaustion_arm(1);
    cr_expect_eq(broker_restore_view(model->broker, &view, model->now), -ENOMEM);
    exhaustion_arm(0);
    cr_expect_eq(broker_restore_view(model->broker, &view, model->now), 0);
    struct kept_block other = good;
    other.id = other.segment.id = 2;
    other.user = 4000;
    other.name[0] = 'o';
    for (failed = 1; failed < 8; failed++) {
        exhaustion_arm(failed);
        result = broker_restore_block(model->broker, &other, NULL, model->now);
        exhaustion_arm(0);
        if (result == 0) {
            break;
        }
        cr_assert_eq(result, -ENOMEM);
    }
    broker_restore_done(model->broker, model->now);
    cr_expect_null(broker_check(model->broker));
    end();
}
