/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scratch loop on a bare bump pointer in a shared memfd whose pages all exist: no bounds, no owner, no
 * call. No arena can be faster; it is what a workspace is held against.
 */
#include "tests/bench/scratch_loop.h"

#include <string.h>
#include <sys/mman.h>

#include "proto/base/cleanup.h"

static char *base;
static size_t offset;

static void bump_begin(void)
{
    offset = 0;
}

SCRATCH_INLINE void *bump_allocate(size_t bytes)
{
    void *memory = base + offset;
    offset += bytes;
    return memory;
}

static void bump_end(void *const *held)
{
    (void)held;
}

static void base_map(size_t bytes)
{
    cleanup(fd_closep) int fd = memfd_create("scratch_bump", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
        measure_fail_errno("memfd");
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    base = memset(memory, 0, bytes);
}

int main(void)
{
    struct scratch_sizes sizes;
    scratch_sizes_init(&sizes);
    base_map(sizes.total);
    scratch_measure(&sizes, bump_begin, bump_allocate, bump_end);
    return 0;
}
