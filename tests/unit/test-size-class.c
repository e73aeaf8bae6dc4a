/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of small buffers. */
#include <criterion/criterion.h>

#include "client/buffer/size_class.h"

TestSuite(size_class);

Test(size_class, every_size_has_the_smallest_block_that_holds_it)
{
    for (size_t bytes = 1; bytes <= SMALL_BYTES_MAX; bytes++) {
        unsigned found = size_class_of(bytes);
        cr_assert_lt(found, SIZE_CLASSES);
        cr_assert_geq(size_class_bytes[found], bytes);
        cr_assert(found == 0 || size_class_bytes[found - 1] < bytes, "%zu bytes", bytes);
    }
}

Test(size_class, blocks_are_aligned_and_waste_little)
{
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        cr_expect_eq(size_class_bytes[i] % (size_class_bytes[i] < 64 ? 16 : 64), 0);
        cr_expect(i < 7 || size_class_bytes[i] <= size_class_bytes[i - 1] * 5 / 4, "%u", size_class_bytes[i]);
    }
    cr_expect_eq(size_class_bytes[SIZE_CLASSES - 1], SMALL_BYTES_MAX);
}
