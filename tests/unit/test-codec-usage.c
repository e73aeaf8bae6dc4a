/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of a listing of accounts goes there and back, and none is taken for another. */
#include <string.h>

#include "tests/unit/reply_back.h"

TestSuite(codec_usage);

Test(codec_usage, a_listing)
{
    static const struct usage_entry entries[] = {
        {1, USAGE_USER, "u", true, 0, 2, 3, 4, 5, {6, 7, 8}, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18},
        {19, USAGE_CLASS, "c", false, 0,  20, 21, 22, 23, {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF},
         24, 25,          26,  27,    28, 29, 30, 31, 32, 33},
    };
    struct reply reply = {.kind = REPLY_LISTING, .listing = {.usage = entries, .usage_count = 2, .more = true}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.usage_count, 2);
    cr_expect(answer.listing.more);
    for (size_t i = 0; i < 2; i++) {
        const struct usage_entry *back = &answer.listing.usage[i], *sent = &entries[i];
        SAME(number);
        SAME(kind);
        SAME_TEXT(name);
        SAME(has_id);
        SAME(id);
        SAME(bytes);
        SAME(physical_bytes);
        SAME(mapped_bytes);
        SAME(freeing_bytes);
        SAME(limits.max_bytes);
        SAME(limits.max_physical_bytes);
        SAME(limits.max_mapped_bytes);
        SAME(reserve_bytes);
        SAME(sessions);
        SAME(leases);
        SAME(waiting);
        SAME(waiting_bytes);
        SAME(waiting_oldest_ms);
        SAME(peak_bytes);
        SAME(peak_physical_bytes);
        SAME(peak_mapped_bytes);
        SAME(weight);
    }
}

Test(codec_usage, a_full_page_of_the_longest_rows_fits_a_message)
{
    static struct usage_entry entries[MESSAGE_USAGE_MAX];
    struct reply reply = {.is_answer = true, .reply_to = UINT64_MAX, .kind = REPLY_LISTING};
    for (size_t i = 0; i < MESSAGE_USAGE_MAX; i++) {
        (void)memset(&entries[i], 0x7f, sizeof entries[i]);
        entries[i].has_id = true;
        entries[i].name[MESSAGE_CLASS_SIZE - 1] = '\0';
    }
    reply.listing = (struct listing_reply){.usage = entries, .usage_count = MESSAGE_USAGE_MAX, .more = true};
    cr_expect_eq(reply_back(&reply).listing.usage_count, MESSAGE_USAGE_MAX);
}
