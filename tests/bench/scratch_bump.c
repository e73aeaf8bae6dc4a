/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scratch loop on a bare bump pointer in a shared memfd whose pages all exist: no bounds, no owner. No arena can be
 * faster; a workspace is compared with it. As in a workspace, the pointer is in memory behind a pointer, and
 * its code is put into the loop, or called where SCRATCH_CALLED is defined: both are held against the same of ours.
 */
#include "tests/bench/scratch_loop.h"

#include <string.h>
#include <sys/mman.h>

#include "proto/base/cleanup.h"

struct bump {
    char *next, *base;
};

static struct bump *bump;

static void bump_begin(void)
{
    bump->next = bump->base;
}

SCRATCH_ALLOCATOR void *bump_allocate(size_t bytes)
{
    char *memory = bump->next;
    bump->next = memory + bytes;
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
    bump = malloc(sizeof *bump);
    if (memory == MAP_FAILED || !bump)
        measure_fail_errno("mmap");
    bump->base = memset(memory, 0, bytes);
}

int main(void)
{
    struct scratch_sizes sizes;
    scratch_sizes_init(&sizes);
    base_map(sizes.total);
    scratch_measure(&sizes, bump_begin, bump_allocate, bump_end);
    return 0;
}
