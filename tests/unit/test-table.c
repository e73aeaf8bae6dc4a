/* SPDX-License-Identifier: Apache-2.0 */
/* The table from which a restart continues, as a crash may leave it. `make fuzz` tries other contents. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/runtime/table.h"
#include "proto/base/cleanup.h"

enum { HEADER = 4096, MANY = 1000 };

/* The same descriptor's file, as the next daemon gets it: cut to so many bytes, if they are fewer. */
static int handed_over(struct table *table, size_t bytes)
{
    int fd = dup(table->fd);
    cr_assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    table_close(table);
    return fd;
}

static size_t record_bytes(const struct table *table)
{
    return (table->mapped - HEADER) / table_records(table);
}

/* Every record that is given out is another, and none that holds something. */
static void expect_free_records(struct table *table)
{
    static const struct kept_session later = {.id = 7, .name = "later"};
    for (int i = 0; i < MANY; i++) {
        struct kept_session session;
        struct kept_segment segment;
        uint64_t started_at;
        uint32_t record;
        cr_assert(table_reserve(table, &record) == 0);
        cr_assert_lt(record, table_records(table));
        cr_assert(!table_read_session(table, record, &session, &started_at));
        cr_assert(!table_read_segment(table, record, &segment));
        table_keep_session(table, record, &later, 1);
    }
}

Test(table, a_table_that_was_cut_after_its_header_grows_again)
{
    struct table table;
    cr_assert(table_create(&table) == 0);
    cr_assert(table_open(&table, handed_over(&table, HEADER)) == 0);
    cr_expect_eq(table_records(&table), 0);
    expect_free_records(&table);
    table_close(&table);
}

Test(table, a_partial_record_is_ignored_when_the_table_grows)
{
    struct kept_session session = {.id = 3, .name = "cut"};
    struct table table;
    uint64_t started_at;
    uint32_t first, second;
    cr_assert(table_create(&table) == 0);
    cr_assert(table_reserve(&table, &first) == 0 && table_reserve(&table, &second) == 0);
    table_keep_session(&table, first, &session, 12);
    table_keep_session(&table, second, &session, 12);
    size_t one_and_a_half = HEADER + record_bytes(&table) + record_bytes(&table) / 2;
    cr_assert(table_open(&table, handed_over(&table, one_and_a_half)) == 0);
    cr_assert_eq(table_records(&table), 1);
    cr_assert(table_read_session(&table, 0, &session, &started_at));
    cr_expect_eq(started_at, 12);
    expect_free_records(&table);
    cr_expect(table_read_session(&table, 0, &session, &started_at) && session.id == 3);
    table_close(&table);
}

static struct kept_session kept_again(struct table *table)
{
    struct kept_session session = {.id = 0};
    uint64_t started_at;
    cr_assert(table_open(table, handed_over(table, table->mapped)) == 0);
    cr_assert(table_read_session(table, 0, &session, &started_at));
    return session;
}

Test(table, the_charged_user_is_saved)
{
    const struct kept_session session = {.id = 3, .identity = {.uid = 500001, .has_owner = true, .owner = 4001}};
    struct table table;
    uint32_t record;
    cr_assert(table_create(&table) == 0 && table_reserve(&table, &record) == 0 && record == 0);
    table_keep_session(&table, record, &session, 12);
    struct kept_session again = kept_again(&table);
    cr_expect(again.identity.uid == 500001 && identity_charged(&again.identity) == 4001);
    *(uint32_t *)(void *)((char *)table.header + 8) = 2; /* its version: that daemon did not know of owners */
    again = kept_again(&table);
    cr_expect_eq(identity_charged(&again.identity), 500001);
    cr_expect_not(again.identity.has_owner);
    table_close(&table);
}

Test(table, whether_a_segment_can_be_published_is_saved)
{
    const struct kept_segment segment = {.id = 3, .lease = 4, .session = 5, .bytes = 4096, .is_publishable = true};
    struct kept_segment again;
    struct table table;
    uint32_t record;
    cr_assert(table_create(&table) == 0 && table_reserve(&table, &record) == 0 && record == 0);
    table_keep_segment(&table, record, &segment);
    cr_assert(table_open(&table, handed_over(&table, table.mapped)) == 0);
    cr_expect(table_read_segment(&table, 0, &again) && again.is_publishable);
    *(uint32_t *)(void *)((char *)table.header + 8) = 3; /* its version: that daemon did not know of them */
    cr_assert(table_open(&table, handed_over(&table, table.mapped)) == 0);
    cr_expect(table_read_segment(&table, 0, &again) && !again.is_publishable);
    table_close(&table);
}
