/* SPDX-License-Identifier: Apache-2.0 */
/* Each thread maps a part, has the kernel make its pages, and unmaps it: no page table is anybody else's. */
#include "daemon/os/populate.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "proto/base/size.h"

enum { PARTS_MAX = 16, STACK_BYTES = 128 << 10 };
#define PART_BYTES_LEAST (UINT64_C(32) << 20) /* a smaller one costs less than a thread is worth */
#define PART_ALIGNMENT   (UINT64_C(2) << 20)  /* no huge page lies in two parts */

struct part {
    pthread_t thread;
    bool has_thread;
    int fd;
    uint64_t from, bytes;
    bool transparent;
    int result;
};

int populate_mapping(void *address, uint64_t bytes)
{
    int result;
    do {
        result = madvise(address, bytes, MADV_POPULATE_WRITE);
    } while (result < 0 && errno == EINTR);
    return result == 0       ? 0
           : errno == EFAULT ? -ENOMEM
                             : -errno; /* as the kernel says it of a page that it can't make */
}

static void *populate_part(void *argument)
{
    struct part *part = argument;
    void *address = mmap(NULL, part->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, part->fd, (off_t)part->from);
    if (address == MAP_FAILED) {
        part->result = -errno;
        return NULL;
    }
    if (part->transparent) {
        (void)madvise(address, part->bytes, MADV_HUGEPAGE);
    }
    part->result = populate_mapping(address, part->bytes);
    (void)munmap(address, part->bytes);
    return NULL;
}

/* As many as this process has processors, if that pays. */
static uint64_t count_of(uint64_t bytes)
{
    cpu_set_t processors;
    uint64_t most = sched_getaffinity(0, sizeof processors, &processors) == 0 ? (uint64_t)CPU_COUNT(&processors) : 1;
    uint64_t count = size_min(size_min(most, PARTS_MAX), bytes / PART_BYTES_LEAST);
    return count ? count : 1;
}

static uint64_t cut(uint64_t bytes, struct part *parts, const struct part *like)
{
    uint64_t count = count_of(bytes), each = bytes / count / PART_ALIGNMENT * PART_ALIGNMENT;
    for (uint64_t i = 0; i < count; i++) {
        parts[i] = *like;
        parts[i].from = each * i;
        parts[i].bytes = i + 1 < count ? each : bytes - each * i;
    }
    return count;
}

/* Without a thread the caller does it. */
static void begin(struct part *part, const pthread_attr_t *attributes)
{
    part->has_thread = pthread_create(&part->thread, attributes, populate_part, part) == 0;
}

int populate_memory(int fd, uint64_t bytes, bool transparent)
{
    struct part parts[PARTS_MAX];
    const struct part like = {.fd = fd, .transparent = transparent};
    uint64_t count = cut(bytes, parts, &like);
    int result = 0;
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (uint64_t i = 1; i < count; i++) {
        begin(&parts[i], &attributes);
    }
    (void)pthread_attr_destroy(&attributes);
    for (uint64_t i = 0; i < count; i++) {
        if (parts[i].has_thread) {
            (void)pthread_join(parts[i].thread, NULL);
        } else {
            (void)populate_part(&parts[i]);
        }
        result = result < 0 ? result : parts[i].result;
    }
    return result;
}
