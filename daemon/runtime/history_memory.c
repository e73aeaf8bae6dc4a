/* SPDX-License-Identifier: Apache-2.0 */
/* A page with what the records are; behind it those of events, then those of samples. */
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
enum { HISTORY_VERSION = 2, HEADER_BYTES = 4096, ROOM_MOST = 1 << 24 };

struct header {
    uint64_t magic;
    uint32_t version, event_bytes, sample_bytes;
    uint32_t events, samples; /* how many there is room for */
};

struct rooms {
    uint32_t events, samples;
};

/* A quarter is for samples. */
static struct rooms rooms_of(uint64_t bytes)
{
    uint32_t events = event_ring_room(bytes - bytes / 4);
    return (struct rooms){events, events ? (uint32_t)(bytes / 4 / sizeof(struct sample_record)) : 0};
}

static struct event_record *events_of(const struct history_memory *memory)
{
    return (struct event_record *)(void *)((char *)memory->address + HEADER_BYTES);
}

static size_t bytes_for(struct rooms rooms)
{
    return HEADER_BYTES + (size_t)rooms.events * sizeof(struct event_record) +
           (size_t)rooms.samples * sizeof(struct sample_record);
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

static int make_rings(struct history_memory *memory, struct rooms rooms, uint64_t first)
{
    struct event_record *events = events_of(memory);
    memory->ring = event_ring_new(events, rooms.events);
    sample_ring_open(&memory->samples, (struct sample_record *)(void *)(events + rooms.events), rooms.samples, first);
    return memory->ring ? 0 : -ENOMEM;
}

void history_memory_close(struct history_memory *memory)
{
    memory->ring = event_ring_free(memory->ring);
    if (memory->address) {
        (void)munmap(memory->address, memory->bytes);
    }
    *memory = (struct history_memory){0};
}

/* ---- what is left ---- */

/* None if the memory is of another version, or its size is not what its header says. */
static struct rooms rooms_in(const struct history_memory *memory)
{
    const struct header *header = memory->address;
    if (!header || header->magic != HISTORY_MAGIC || header->version != HISTORY_VERSION ||
        header->event_bytes != sizeof(struct event_record) || header->sample_bytes != sizeof(struct sample_record) ||
        header->events > ROOM_MOST || header->samples > ROOM_MOST) {
        return (struct rooms){0};
    }
    struct rooms rooms = {header->events, header->samples};
    return memory->bytes == bytes_for(rooms) ? rooms : (struct rooms){0};
}

/* The history of the daemon before. False: there is none that can be read. */
static bool take_over(struct history_memory *ret, int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_size < HEADER_BYTES || map(ret, fd, (size_t)status.st_size) < 0) {
        return false;
    }
    if (make_rings(ret, rooms_in(ret), 0) < 0) {
        history_memory_close(ret);
        return false;
    }
    return true;
}

/* ---- a new one ---- */

static int create(struct history_memory *ret, struct rooms rooms, uint64_t first, int *ret_fd)
{
    int result = 0;
    if (service_manager_is_there()) {
        *ret_fd = memfd_create("membroker:history", MFD_CLOEXEC);
        result = *ret_fd < 0 ? -errno : ftruncate(*ret_fd, (off_t)bytes_for(rooms)) < 0 ? -errno : 0;
    }
    if (result == 0) {
        result = map(ret, *ret_fd, bytes_for(rooms));
    }
    if (result < 0) {
        return result;
    }
    *(struct header *)ret->address =
        (struct header){HISTORY_MAGIC, HISTORY_VERSION, sizeof(struct event_record), sizeof(struct sample_record),
                        rooms.events,  rooms.samples};
    result = make_rings(ret, rooms, first);
    if (result < 0) {
        history_memory_close(ret);
    }
    return result;
}

/* All that fits, with the numbers that the events had. */
static void copy(struct history_memory *to, const struct history_memory *from)
{
    const struct sample_entry *sample = NULL;
    uint32_t place = event_ring_find(from->ring, 0);
    for (; event_ring_has(from->ring, place); place++) {
        const struct event_entry *event = event_ring_look(from->ring, place);
        event_ring_continue(to->ring, event_ring_number(from->ring, place) - (event != NULL));
        if (event) {
            (void)event_ring_add(to->ring, event_ring_owner(from->ring, place), event);
        }
    }
    while ((sample = sample_ring_next(&from->samples, sample ? sample->sample : 0))) {
        sample_ring_add(&to->samples, sample);
    }
}

static int replace(struct history_memory *ret, struct rooms rooms, uint64_t first, const struct history_memory *before)
{
    cleanup(fd_closep) int fd = -EBADF;
    int result = create(ret, rooms, before->ring ? before->samples.first - 1 : first, &fd);
    if (result < 0) {
        return result;
    }
    event_ring_continue(ret->ring, before->ring ? 0 : first);
    if (before->ring) {
        copy(ret, before);
    }
    fault_point();
    service_manager_forget(HISTORY_NAME);
    fault_point();
    return fd < 0 ? 0 : service_manager_store(HISTORY_NAME, fd);
}

int history_memory_open(struct history_memory *ret, uint64_t bytes, uint64_t first, struct handed_descriptors *handed)
{
    cleanup(fd_closep) int fd = service_manager_take_named(handed, HISTORY_NAME);
    struct history_memory before = {0};
    struct rooms rooms = rooms_of(bytes);
    *ret = (struct history_memory){0};
    if (rooms.events == 0) {
        service_manager_forget(HISTORY_NAME);
        return 0;
    }
    if (take_over(&before, fd) && before.bytes == bytes_for(rooms)) {
        *ret = before;
        return 0;
    }
    int result = replace(ret, rooms, first, &before);
    history_memory_close(&before);
    return result;
}
