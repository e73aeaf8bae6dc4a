/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of a listing of reservations goes there and back, and none is taken for another. */
#include "tests/unit/reply_back.h"

TestSuite(codec_reservations);

Test(codec_reservations, a_listing)
{
    static const char *const paths[] = {"/a", "/b"};
    static const struct reservation_entry entries[] = {
        {1, "n", 2, 3, 4, 5, 6, 7, true, true, true, 0, 0, 8, false, true, 17, 9, paths, 2},
        {10, "m", 11, 12, 13, 14, 15, 16, false, false, false, 0, 0, 0, true, false, 0, UINT64_MAX, NULL, 0},
    };
    struct reply reply = {.kind = REPLY_LISTING, .listing = {.reservations = entries, .reservation_count = 2}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.reservation_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct reservation_entry *back = &answer.listing.reservations[i], *sent = &entries[i];
        SAME(reservation);
        SAME_TEXT(name);
        SAME(bytes);
        SAME(mapped_bytes);
        SAME(used_bytes);
        SAME(used_mapped_bytes);
        SAME(sessions);
        SAME(leases);
        SAME(has_uid);
        SAME(has_priority);
        SAME(has_weight);
        SAME(uid);
        SAME(priority);
        SAME(weight);
        SAME(is_over);
        SAME(is_suspended);
        SAME(held_ms);
        SAME(remaining_ms);
        cr_assert_eq(back->control_group_count, sent->control_group_count);
        for (size_t j = 0; j < sent->control_group_count; j++) {
            SAME_TEXT(control_groups[j]);
        }
    }
}
