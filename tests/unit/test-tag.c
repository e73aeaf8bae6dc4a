/* SPDX-License-Identifier: Apache-2.0 */
/* The tags of heaps. Each test has a process of its own, with all tags free. */
#include <criterion/criterion.h>

#include "client/buffer/tag.h"

TestSuite(tag);

enum { TAGS = UINT16_MAX - 1 /* without TAG_NONE and TAG_UNBOUND */ };

static bool is_usable(uint16_t tag)
{
    return tag != TAG_NONE && tag != TAG_UNBOUND;
}

Test(tag, two_heaps_never_have_the_same)
{
    static bool taken[UINT16_MAX + 1];
    for (int i = 0; i < TAGS; i++) {
        uint16_t tag = tag_take_after(TAG_NONE);
        cr_assert(is_usable(tag) && !taken[tag]);
        taken[tag] = true;
    }
    cr_expect_eq(tag_take_after(TAG_NONE), TAG_NONE);
    tag_give_all(1234);
    cr_expect_eq(tag_take_after(TAG_NONE), 1234);
}

Test(tag, a_heap_keeps_its_older_ones_until_it_ends)
{
    uint16_t newest = tag_take_after(TAG_NONE), other = tag_take_after(TAG_NONE);
    int count = 1;
    for (uint16_t tag; (tag = tag_take_after(newest)) != TAG_NONE; newest = tag) {
        cr_assert(is_usable(tag) && tag != other);
        count++;
    }
    cr_expect_eq(count, TAGS - 1);
    tag_give_all(newest);
    for (int i = 0; i < TAGS - 1; i++) {
        cr_assert(is_usable(tag_take_after(TAG_NONE)));
    }
    cr_expect_eq(tag_take_after(TAG_NONE), TAG_NONE);
}

Test(tag, a_tag_that_was_given_back_is_not_used_soon)
{
    uint16_t tag = tag_take_after(TAG_NONE);
    tag_give_all(tag);
    cr_expect_neq(tag_take_after(TAG_NONE), tag);
    tag_give_all(TAG_NONE);
}
