/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and views in the table from which a restart continues: whole or not there, whatever a crash left. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "daemon/runtime/table_records.h"
#include "proto/base/cleanup.h"

TestSuite(table_blocks);

static struct table table;
static uint8_t metadata[MESSAGE_METADATA_MAX];

static void begin(void)
{
    cr_assert(table_create(&table) == 0);
    for (size_t i = 0; i < sizeof metadata; i++) {
        metadata[i] = (uint8_t)(i % 253);
    }
}

static void end(void)
{
    table_close(&table);
}

/* The next daemon opens it. */
static void hand_over(void)
{
    int fd = dup(table.fd);
    table_close(&table);
    cr_assert(fd >= 0 && table_open(&table, fd) == 0);
}

static struct kept_block block_of(uint64_t id, size_t metadata_bytes)
{
    return (struct kept_block){.id = id,
                               .owner = 1000,
                               .user = 1001,
                               .group = KEPT_NO_GROUP,
                               .class = "a class",
                               .lifetime = LIFETIME_KEEP,
                               .access = BLOCK_ACCESS_GROUP,
                               .gid = 7,
                               .age_ns = 50,
                               .keep_ns = 9000,
                               .name = "a name",
                               .type = "a type",
                               .metadata = {metadata, metadata_bytes}};
}

static uint32_t keep_segment(uint64_t id)
{
    const struct kept_segment segment = {.id = id, .lease = id, .session = 5, .bytes = 4096, .is_publishable = true};
    uint32_t record;
    cr_assert(table_reserve(&table, &record) == 0);
    table_keep_segment(&table, record, &segment);
    return record;
}

static uint32_t keep_block(uint64_t id, size_t metadata_bytes)
{
    uint32_t record = keep_segment(id);
    const struct kept_block block = block_of(id, metadata_bytes);
    cr_assert(table_keep_block(&table, record, &block, 1000) == 0);
    return record;
}

/* Reads one at the monotonic time 1100. False: it is not there, or not whole. */
static bool read_block(uint32_t record, struct kept_block *ret)
{
    static char buffer[TABLE_BLOCK_BUFFER];
    *ret = (struct kept_block){.id = 0};
    return table_read_published(&table, record, &ret->segment) && table_read_block(&table, record, 1100, ret, buffer);
}

static uint32_t in_use(void)
{
    return table_records(&table) - table.free_count;
}

Test(table_blocks, all_of_a_block_is_saved)
{
    static const size_t sizes[] = {0, 1, TEXT_BYTES - 7, TEXT_BYTES - 6, MESSAGE_METADATA_MAX};
    begin();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct kept_block block = block_of(i + 1, sizes[i]);
        struct kept_block again;
        uint32_t record = keep_block(i + 1, sizes[i]);
        hand_over();
        cr_assert(read_block(record, &again), "%zu", sizes[i]);
        cr_expect(again.segment.id == i + 1 && again.segment.lease == i + 1 && again.segment.is_publishable);
        cr_expect(again.id == i + 1 && again.owner == block.owner && again.user == block.user &&
                  again.group == block.group && again.gid == block.gid);
        cr_expect(again.lifetime == block.lifetime && again.access == block.access && !again.ended);
        cr_expect(again.age_ns == 150 && again.keep_ns == block.keep_ns, "it ages while no daemon is there");
        cr_expect_str_eq(again.class, block.class);
        cr_expect_str_eq(again.name, block.name);
        cr_expect_str_eq(again.type, block.type);
        cr_expect(again.metadata.count == sizes[i] && memcmp(again.metadata.data, metadata, sizes[i]) == 0);
    }
    end();
}

Test(table_blocks, a_block_goes_with_all_its_records)
{
    begin();
    uint32_t before = in_use(), record = keep_block(1, MESSAGE_METADATA_MAX);
    cr_expect_gt(in_use(), before + 20);
    cr_expect_eq(table_count_named(&table), 1);
    hand_over();
    table_forget(&table, record);
    cr_expect_eq(in_use(), before);
    hand_over();
    cr_expect_eq(in_use(), before);
    end();
}

Test(table_blocks, many_make_the_table_grow_and_stay_whole)
{
    begin();
    for (uint64_t id = 1; id <= 100; id++) {
        keep_block(id, MESSAGE_METADATA_MAX);
    }
    hand_over();
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < table_records(&table); i++) {
        struct kept_block block;
        bool is_whole = read_block(i, &block) && block.metadata.count == sizeof metadata &&
                        memcmp(block.metadata.data, metadata, sizeof metadata) == 0;
        blocks += is_whole;
    }
    cr_expect_eq(blocks, 100);
    end();
}

Test(table_blocks, its_end_and_the_order_of_use_are_saved)
{
    struct kept_block block;
    struct kept_view view = {.lease = 9, .session = 5, .block = 1, .slot = 3, .generation = 7, .ttl_ms = 30}, again;
    begin();
    uint32_t first = keep_block(1, 0), second = keep_block(2, 0), record;
    cr_expect_lt(table_block_used(&table, first), table_block_used(&table, second));
    cr_assert(table_keep_view(&table, first, &view, &record) == 0);
    hand_over();
    cr_expect(table_read_view(&table, record, &again) && again.lease == 9 && again.session == 5 && again.block == 1);
    cr_expect(again.slot == 3 && again.generation == 7 && again.ttl_ms == 30);
    cr_expect_not(table_read_view(&table, first, &again));
    table_end_view(&table, record);
    table_note_block_ended(&table, second, END_EVICTED);
    hand_over();
    cr_expect_not(table_read_view(&table, record, &again));
    cr_expect_gt(table_block_used(&table, first), table_block_used(&table, second));
    cr_expect(read_block(second, &block) && block.ended == END_EVICTED && !block.has_untold);
    table_note_untold(&table, second);
    hand_over();
    cr_expect(read_block(second, &block) && block.has_untold);
    end();
}

/* A view of a block that is gone, or of another one by now, stamps nothing. */
Test(table_blocks, the_end_of_a_view_of_nothing_changes_nothing)
{
    static const struct kept_view view = {.lease = 9, .session = 5, .block = 77};
    begin();
    uint32_t block = keep_block(1, 0), segment = keep_segment(2), record;
    const uint32_t records[] = {block, segment, UINT32_MAX};
    uint64_t used = table_block_used(&table, block);
    for (int i = 0; i < 3; i++) {
        cr_assert(table_keep_view(&table, records[i], &view, &record) == 0);
        table_end_view(&table, record);
    }
    table_note_block_ended(&table, segment, END_EVICTED);
    table_note_untold(&table, segment);
    cr_expect(table_block_used(&table, block) == used && table_block_used(&table, segment) == 0);
    end();
}

/* ---- crashes and damage ---- */

/* Killed before the one store that makes it a block. */
Test(table_blocks, before_it_is_whole_it_is_a_lease_still)
{
    struct kept_segment segment;
    struct kept_block block;
    begin();
    uint32_t before = in_use() + 1, record = keep_block(1, 500);
    atomic_store(&table_record(&table, record)->kind, RECORD_SEGMENT);
    hand_over();
    cr_expect(table_read_segment(&table, record, &segment) && segment.lease == 1);
    cr_expect_not(read_block(record, &block));
    cr_expect_eq(in_use(), before, "what was written of it is free again");
    end();
}

static struct record *chained(uint32_t record, int steps)
{
    struct record *at = table_record(&table, record);
    for (int i = 0; i < steps; i++) {
        at = table_record(&table, at->next - 1);
    }
    return at;
}

#define EXPECT_DAMAGED(damage)                                                                                         \
    do {                                                                                                               \
        struct kept_block block;                                                                                       \
        begin();                                                                                                       \
        uint32_t record = keep_block(1, 500), other = keep_block(2, 500);                                              \
        damage;                                                                                                        \
        hand_over();                                                                                                   \
        cr_expect_not(read_block(record, &block), "%s", #damage);                                                      \
        cr_expect(read_block(other, &block), "%s: another block", #damage);                                            \
        table_forget(&table, record);                                                                                  \
        table_forget(&table, other);                                                                                   \
        hand_over();                                                                                                   \
        cr_expect_eq(in_use(), 0, "%s", #damage);                                                                      \
        end();                                                                                                         \
    } while (0)

Test(table_blocks, a_damaged_block_is_told_from_a_whole_one)
{
    EXPECT_DAMAGED(chained(record, 0)->next = 0);
    EXPECT_DAMAGED(chained(record, 0)->next = UINT32_MAX);
    EXPECT_DAMAGED(chained(record, 0)->next = table_records(&table) + 1);
    EXPECT_DAMAGED(chained(record, 0)->next = record + 1);
    EXPECT_DAMAGED(chained(record, 1)->next = 0);
    EXPECT_DAMAGED(chained(record, 1)->next = chained(record, 0)->next);
    EXPECT_DAMAGED(chained(record, 2)->next = chained(record, 1)->next);
    EXPECT_DAMAGED(chained(record, 1)->terms.text_bytes = TABLE_BLOCK_BUFFER + 1);
    EXPECT_DAMAGED(chained(record, 1)->terms.text_bytes = 0);
    EXPECT_DAMAGED(memset(chained(record, 2)->text, 'x', TEXT_BYTES));
    EXPECT_DAMAGED(atomic_store(&chained(record, 2)->kind, RECORD_FREE));
    EXPECT_DAMAGED(atomic_store(&chained(record, 1)->kind, 99));
    struct kept_block block;
    begin();
    uint32_t record = keep_block(1, 500), thief = keep_block(2, 500);
    chained(thief, 0)->next = chained(record, 0)->next; /* two go on in one */
    hand_over();
    cr_expect(read_block(record, &block) && !read_block(thief, &block));
    end();
}

/* Version 4 said of a block no more than that its segment was one. */
Test(table_blocks, of_an_earlier_versions_blocks_nothing_is_known)
{
    struct kept_segment segment;
    struct kept_view view = {.lease = 9}, again;
    struct kept_block block;
    uint32_t record, viewed;
    begin();
    record = keep_block(1, 500);
    cr_assert(table_keep_view(&table, record, &view, &viewed) == 0);
    table.header->version = 4;
    hand_over();
    cr_expect(table_read_published(&table, record, &segment) && segment.id == 1);
    cr_expect(!read_block(record, &block) && !table_read_view(&table, viewed, &again));
    cr_expect_eq(in_use(), 1);
    end();
}

Test(table_blocks, no_number_of_a_block_is_given_out_twice)
{
    static const struct kept_numbers numbers = {1, 2, 3, 4};
    begin();
    table_keep_numbers(&table, &numbers);
    hand_over();
    cr_expect_eq(table_read_numbers(&table).block, 4);
    table.header->version = 4;
    hand_over();
    cr_expect_eq(table_read_numbers(&table).block, 0);
    end();
}
