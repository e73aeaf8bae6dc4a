/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first use of 256 MiB costs by the way it was got from the kernel, in milliseconds; one byte of
 * each page is written. It says what prefaulting and keeping an arena can save.
 */
#include <sys/mman.h>

#include "proto/base/cleanup.h"
#include "tests/bench/first_touch.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static char *memory_map(int fd, int flags)
{
    void *memory = mmap(NULL, TOUCH_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    return memory;
}

static int segment_new(void)
{
    int fd = memfd_create("first_touch", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, TOUCH_BYTES) < 0)
        measure_fail_errno("memfd");
    return fd;
}

static void anonymous_measure(void)
{
    double start = clock_ms();
    char *memory = memory_map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
    pages_touch(memory);
    figure_print("anonymous", clock_ms() - start);
    (void)munmap(memory, TOUCH_BYTES);
}

static void memfd_measure(void)
{
    double start = clock_ms();
    cleanup(fd_closep) int fd = segment_new();
    char *memory = memory_map(fd, MAP_SHARED);
    pages_touch(memory);
    figure_print("memfd", clock_ms() - start);
    start = clock_ms();
    pages_touch(memory);
    figure_print("memfd_again", clock_ms() - start);
    start = clock_ms();
    char *second = memory_map(fd, MAP_SHARED);
    pages_touch(second);
    figure_print("memfd_pages_exist", clock_ms() - start);
    (void)munmap(second, TOUCH_BYTES);
    start = clock_ms();
    if (ftruncate(fd, 0) < 0)
        measure_fail_errno("ftruncate");
    figure_print("memfd_truncate", clock_ms() - start);
    (void)munmap(memory, TOUCH_BYTES);
}

static void populated_measure(void)
{
    double start = clock_ms();
    cleanup(fd_closep) int fd = segment_new();
    char *memory = memory_map(fd, MAP_SHARED);
    if (madvise(memory, TOUCH_BYTES, MADV_POPULATE_WRITE) == 0) {
        pages_touch(memory);
        figure_print("memfd_populated", clock_ms() - start);
    }
    (void)munmap(memory, TOUCH_BYTES);
}

int main(void)
{
    anonymous_measure();
    memfd_measure();
    populated_measure();
    return 0;
}
