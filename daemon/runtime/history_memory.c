/* SPDX-License-Identifier: Apache-2.0 */
/* A page with what the records are, and the records behind it. */
#include "daemon/runtime/history_memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/fault.h"
#include "proto/base/cleanup.h"

#define HISTORY_NAME  "membroker-history"
#define HISTORY_MAGIC UINT64_C(0x31535948424d) /* "MBHYS1" */

/* A daemon of another version begins a new history if it has other records. */
enum { HISTORY_VERSION = 1, HEADER_BYTES = 4096 };

struct header {
    uint64_t magic;
    uint32_t version, record_bytes;
};

static struct event_record *records_of(const struct history_memory *memory)
{
    return (struct event_record *)(void *)((char *)memory->address + HEADER_BYTES);
}

static size_t bytes_for(uint32_t room)
{
    return HEADER_BYTES + (size_t)room * sizeof(struct event_record);
}

/* ---- mapping ---- */

static int map(struct history_memory *ret, int fd, size_t bytes)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (address == MAP_FAILED) {
        return -errno;
    }
    *ret = (struct history_memory){.address = address, .bytes = bytes};
    return 0;
}

static int make_ring(struct history_memory *memory)
{
    memory->ring =
        event_ring_new(records_of(memory), (uint32_t)((memory->bytes - HEADER_BYTES) / sizeof(struct event_record)));
    return memory->ring ? 0 : -ENOMEM;
}

static void discard(struct history_memory *memory)
{
    event_ring_free(memory->ring);
    history_memory_close(memory->address, memory->bytes);
    *memory = (struct history_memory){0};
}

void history_memory_close(void *address, size_t bytes)
{
    if (address) {
        (void)munmap(address, bytes);
    }
}

/* ---- what is left ---- */

static bool is_ours(const struct history_memory *memory)
{
    const struct header *header = memory->address;
    return header && header->magic == HISTORY_MAGIC && header->version == HISTORY_VERSION &&
           header->record_bytes == sizeof(struct event_record);
}

/* The history of the daemon before. False: there is none that can be read. */
static bool take_over(struct history_memory *ret, int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || (uint64_t)status.st_size < bytes_for(1) ||
        (uint64_t)status.st_size > bytes_for(UINT32_MAX / 4) || map(ret, fd, (size_t)status.st_size) < 0) {
        return false;
    }
    if (!is_ours(ret) || make_ring(ret) < 0) {
        discard(ret);
        return false;
    }
    return true;
}

/* ---- a new one ---- */

static int create(struct history_memory *ret, uint32_t room, int *ret_fd)
{
    int result = 0;
    if (service_manager_is_there()) {
        *ret_fd = memfd_create("membroker:history", MFD_CLOEXEC);
        result = *ret_fd < 0 ? -errno : ftruncate(*ret_fd, (off_t)bytes_for(room)) < 0 ? -errno : 0;
    }
    if (result == 0) {
        result = map(ret, *ret_fd, bytes_for(room));
    }
    if (result < 0) {
        return result;
    }
    *(struct header *)ret->address = (struct header){HISTORY_MAGIC, HISTORY_VERSION, sizeof(struct event_record)};
    result = make_ring(ret);
    if (result < 0) {
        discard(ret);
    }
    return result;
}

/* All that fits, with the numbers that they had. */
static void copy(struct event_ring *to, const struct event_ring *from)
{
    uint32_t place = event_ring_find(from, 0);
    for (; event_ring_has(from, place); place++) {
        const struct event_entry *event = event_ring_look(from, place);
        event_ring_continue(to, event_ring_number(from, place) - (event != NULL));
        if (event) {
            (void)event_ring_add(to, event_ring_owner(from, place), event);
        }
    }
}

static int replace(struct history_memory *ret, uint32_t room, uint64_t first, const struct event_ring *before)
{
    cleanup(fd_closep) int fd = -EBADF;
    int result = create(ret, room, &fd);
    if (result < 0) {
        return result;
    }
    if (before) {
        copy(ret->ring, before);
    } else {
        event_ring_continue(ret->ring, first);
    }
    fault_point();
    service_manager_forget(HISTORY_NAME);
    fault_point();
    return fd < 0 ? 0 : service_manager_store(HISTORY_NAME, fd);
}

int history_memory_open(struct history_memory *ret, uint32_t room, uint64_t first, struct handed_descriptors *handed)
{
    cleanup(fd_closep) int fd = service_manager_take_named(handed, HISTORY_NAME);
    struct history_memory before = {0};
    *ret = (struct history_memory){0};
    if (room == 0) {
        service_manager_forget(HISTORY_NAME);
        return 0;
    }
    bool is_there = take_over(&before, fd);
    if (is_there && before.bytes == bytes_for(room)) {
        *ret = before;
        return 0;
    }
    int result = replace(ret, room, first, before.ring);
    discard(&before);
    return result;
}
