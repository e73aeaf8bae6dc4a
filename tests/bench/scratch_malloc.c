/* SPDX-License-Identifier: Apache-2.0 */
/* The scratch loop on the process's malloc: glibc's, or whichever one is preloaded. */
#include "tests/bench/scratch_loop.h"

static void heap_begin(void)
{
}

SCRATCH_INLINE void *heap_allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory)
        measure_fail_errno("malloc");
    return memory;
}

static void heap_end(void *const *held)
{
    for (size_t i = 0; i < SCRATCH_COUNT; i++)
        free(held[i]);
}

int main(void)
{
    struct scratch_sizes sizes;
    scratch_sizes_init(&sizes);
    scratch_measure(&sizes, heap_begin, heap_allocate, heap_end);
    return 0;
}
