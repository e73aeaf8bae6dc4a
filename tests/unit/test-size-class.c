/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of small and medium buffers. */
#include <criterion/criterion.h>

#include "client/buffer/size_class.h"

TestSuite(size_class);

Test(size_class, every_size_has_the_smallest_block_that_holds_it)
{
    for (size_t bytes = 1; bytes <= MEDIUM_BYTES_MAX; bytes++) {
        unsigned found = size_class_of(bytes);
        cr_assert_lt(found, SIZE_CLASSES);
        cr_assert_geq(size_class_bytes[found], bytes);
        cr_assert(found == 0 || size_class_bytes[found - 1] < bytes, "%zu bytes", bytes);
    }
}

Test(size_class, blocks_are_aligned_and_waste_little)
{
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        uint32_t bytes = size_class_bytes[i];
        cr_expect_eq(bytes % (bytes <= 128 ? 16 : 64), 0, "%u", bytes);
        cr_expect(bytes <= 512 || bytes <= (uint64_t)size_class_bytes[i - 1] * 9 / 8, "%u", bytes);
        cr_expect(i < SMALL_CLASSES || bytes % 4096 == 0, "%u", bytes);
    }
    cr_expect_eq(size_class_bytes[SMALL_CLASSES - 1], SMALL_BYTES_MAX);
    cr_expect_eq(size_class_bytes[SIZE_CLASSES - 1], MEDIUM_BYTES_MAX);
}
