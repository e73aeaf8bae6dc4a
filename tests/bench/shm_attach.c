/* SPDX-License-Identifier: Apache-2.0 */
/* The same with shm_open(3): no other process is asked, nothing is counted, and whoever opens it may write. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/bench/attach.h"
#include "tests/bench/measure.h"

static char name[64];

static void make(size_t bytes)
{
    cleanup(fd_closep) int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
        measure_fail_errno("shm_open");
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    attach_fill(memory, bytes);
    (void)munmap(memory, bytes);
}

static void attach_once(void *context)
{
    (void)context;
    struct stat status;
    cleanup(fd_closep) int fd = shm_open(name, O_RDONLY, 0);
    if (fd < 0 || fstat(fd, &status) < 0)
        measure_fail_errno("shm_open");
    char *memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    attach_read(memory, (size_t)status.st_size);
    (void)munmap(memory, (size_t)status.st_size);
}

int main(void)
{
    (void)snprintf(name, sizeof name, "/membroker-bench-%d", (int)getpid());
    for (int i = 0; i < ATTACH_SIZES; i++) {
        make(attach_sizes[i].bytes);
        attach_measure(&attach_sizes[i], attach_once, NULL);
        (void)shm_unlink(name);
    }
    return 0;
}
