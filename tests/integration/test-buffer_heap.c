/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: which memory they get. */
#include "tests/integration/buffers.h"

TestSuite(buffer_heap, .timeout = 60);

Test(buffer_heap, one_of_about_the_same_size_takes_the_place_of_one_that_was_freed)
{
    begin("");
    mb_buffer *others[] = {make(2 * MIB), make(3 * MIB + 1), make(2 * MIB)};
    const void *place = mb_buffer_data(others[1]);
    (void)mb_buffer_unref(others[1]);
    others[1] = make(3 * MIB + 100000);
    cr_expect_eq(mb_buffer_data(others[1]), place);
    for (int i = 0; i < 3; i++) {
        (void)mb_buffer_unref(others[i]);
    }
    end();
}

Test(buffer_heap, medium_ones_stay_in_the_cache_of_their_thread_up_to_a_bound)
{
    begin("");
    static mb_buffer *buffers[200];
    mb_buffer *buffer = make(65536);
    const void *place = mb_buffer_data(buffer);
    (void)mb_buffer_unref(buffer);
    buffer = make(65000);
    cr_expect_eq(mb_buffer_data(buffer), place);
    (void)mb_buffer_unref(buffer);
    for (size_t i = 0; i < 200; i++) {
        buffers[i] = make_with(33000 + i * 1000, i % 3 ? NULL : "medium", MB_LOCATION_RAM, i % 2 ? MB_ZEROED : 0);
        memset(mb_buffer_data(buffers[i]), (int)i, mb_buffer_size(buffers[i]));
    }
    for (size_t i = 0; i < 200; i++) {
        cr_expect_eq(((char *)mb_buffer_data(buffers[i]))[mb_buffer_size(buffers[i]) - 1], (char)i);
        (void)mb_buffer_unref(buffers[i]);
    }
    WAIT_UNTIL(used() <= 4 * MIB);
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}
