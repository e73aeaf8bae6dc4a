/* SPDX-License-Identifier: Apache-2.0 */
/* Where the name of an object leads to in a board, on which the daemon and all libraries agree. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/base/board.h"

TestSuite(board_names);

enum { PAGE_BYTES = 4096 };

static const uint64_t key = UINT64_C(0x0123456789abcdef);

static bool is_same(struct board_bucket a, struct board_bucket b)
{
    return a.block == b.block && a.slot == b.slot && a.tag == b.tag;
}

Test(board_names, the_bucket_of_a_name_is_part_of_the_layout)
{
    static const struct {
        const char *name;
        struct board_bucket bucket;
    } known[] = {
        {"a", {1971, 68, 583}},
        {"seven77", {1751, 76, 28}},
        {"eight888", {1895, 56, 489}},
        {"nine 9999", {1483, 20, 425}},
        {"twelve bytes", {1736, 48, 246}},
        {"äöü€€", {669, 4, 398}},
        {"sixteen letters.", {1345, 12, 514}},
        {"a name that has all of the 63 bytes that a name of this can hav", {960, 80, 916}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct board_bucket bucket = board_bucket_of(key, known[i].name);
        cr_expect(is_same(bucket, known[i].bucket), "%s: {%u, %u, %u}", known[i].name, bucket.block, bucket.slot,
                  bucket.tag);
    }
}

/* A page with memory before it and behind it that can't be read. */
static char *lonely_page(void)
{
    char *pages = mmap(NULL, (size_t)3 * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(pages != MAP_FAILED && mprotect(pages + PAGE_BYTES, PAGE_BYTES, PROT_READ | PROT_WRITE) == 0);
    return pages + PAGE_BYTES;
}

Test(board_names, nothing_around_a_name_is_read_or_matters)
{
    char name[BOARD_NAME_SIZE] = "", *page = lonely_page();
    for (size_t bytes = 1; bytes < BOARD_NAME_SIZE; bytes++) {
        char *const places[] = {page, page + 100, page + PAGE_BYTES - bytes - 1};
        memset(name, 'a' + (int)bytes % 26, bytes);
        memset(page, 'x', PAGE_BYTES);
        const struct board_bucket bucket = board_bucket_of(key, name);
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            struct board_name sought;
            memcpy(places[i], name, bytes + 1);
            cr_assert(board_name_set(&sought, places[i]) && sought.bytes == bytes);
            cr_expect(is_same(board_bucket_of(key, sought.text), bucket), "%zu bytes, place %zu", bytes, i);
        }
    }
}
