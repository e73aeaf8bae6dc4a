/* SPDX-License-Identifier: Apache-2.0 */
/* Owners are a list: a host has few users. */
#include "daemon/runtime/control_store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/os/memfd.h"
#include "proto/base/size.h"

/* Of a user, whatever all have: no user can shut others out by taking everything. */
#define USER_BYTES_LEAST (UINT64_C(64) * 1024)
enum { USER_PAGES_LEAST = 4, KEPT_SHARE = 4 /* of the descriptors that clients may have */ };

void control_store_init(struct control_store *store, int fd_ceiling, struct descriptor_uses *descriptors)
{
    *store = (struct control_store){.fd_ceiling = fd_ceiling, .descriptors = descriptors};
    LIST_INIT(&store->owners);
    TAILQ_INIT(&store->kept);
}

/* ---- owners ---- */

static struct control_owner *find(const struct control_store *store, uint32_t uid)
{
    struct control_owner *owner;
    LIST_FOREACH(owner, &store->owners, in_store) {
        if (owner->uid == uid) {
            return owner;
        }
    }
    return NULL;
}

static struct control_owner *owner_get(struct control_store *store, uint32_t uid)
{
    struct control_owner *owner = find(store, uid);
    if (!owner && (owner = calloc(1, sizeof *owner))) {
        owner->uid = uid;
        LIST_INSERT_HEAD(&store->owners, owner, in_store);
    }
    return owner;
}

static void owner_forget_if_empty(struct control_owner *owner)
{
    if (owner->bytes == 0) {
        LIST_REMOVE(owner, in_store);
        free(owner);
    }
}

uint64_t control_store_user_bytes(const struct control_store *store, uint32_t uid)
{
    const struct control_owner *owner = find(store, uid);
    return owner ? owner->bytes : 0;
}

/* ---- memory ---- */

/* The first two pages have one page of memory, each later one as much as all before it. */
static uint64_t bytes_of(unsigned place)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return place < 2 ? page : page << (place - 1);
}

static struct control_memory *memory_new(uint64_t bytes, int fd_ceiling, int *ret_error)
{
    struct control_memory *memory = calloc(1, sizeof *memory);
    struct memfd_control made = {0};
    int fd = memory ? memfd_control(bytes, &made) : -ENOMEM;
    if (fd >= fd_ceiling) { /* the last descriptors are not for clients */
        (void)munmap(made.address, bytes);
        (void)close(fd);
        fd = -EMFILE;
    }
    if (fd < 0) {
        free(memory);
        *ret_error = fd;
        return NULL;
    }
    *memory = (struct control_memory){.fd = fd,
                                      .page = made.address,
                                      .bytes = bytes,
                                      .slots = control_page_slots(bytes),
                                      .is_counted = made.is_counted,
                                      .is_own = true};
    memory->page->magic = CONTROL_PAGE_MAGIC;
    memory->page->version = CONTROL_PAGE_VERSION;
    memory->page->slots = memory->slots;
    return memory;
}

static void memory_free(struct control_store *store, struct control_memory *memory)
{
    assert(store->bytes >= memory->bytes && memory->owner->bytes >= memory->bytes);
    store->bytes -= memory->bytes;
    memory->owner->bytes -= memory->bytes;
    memory->owner->pages--;
    (void)munmap(memory->page, memory->bytes);
    (void)descriptor_close(store->descriptors, memory->fd);
    free(memory);
}

/* ---- kept pages ---- */

static void put_spare(struct control_store *store, struct control_memory *memory)
{
    LIST_INSERT_HEAD(&memory->owner->spare[memory->place], memory, spare);
    TAILQ_INSERT_TAIL(&store->kept, memory, kept);
}

static void take_spare(struct control_store *store, struct control_memory *memory)
{
    LIST_REMOVE(memory, spare);
    TAILQ_REMOVE(&store->kept, memory, kept);
}

struct control_memory *control_store_borrow(struct control_store *store)
{
    struct control_memory *memory = TAILQ_FIRST(&store->kept);
    if (memory) {
        take_spare(store, memory);
        descriptor_note_other(store->descriptors, memory->fd, DESCRIPTOR_ASKED);
    }
    return memory;
}

void control_store_put_back(struct control_store *store, struct control_memory *memory)
{
    descriptor_note_other(store->descriptors, memory->fd, DESCRIPTOR_CONTROL);
    put_spare(store, memory);
}

void control_store_free(struct control_store *store, struct control_memory *memory)
{
    struct control_owner *owner = memory->owner;
    store->kept_count--;
    memory_free(store, memory);
    owner_forget_if_empty(owner);
}

void control_store_replace(struct control_store *store, struct control_memory *memory, int fd)
{
    (void)descriptor_close(store->descriptors, memory->fd);
    descriptor_note(store->descriptors, fd, DESCRIPTOR_ASKED);
    memory->fd = fd;
    memory->is_own = true;
}

size_t control_store_kept_max(const struct control_store *store)
{
    return (size_t)store->fd_ceiling / KEPT_SHARE;
}

void control_store_deinit(struct control_store *store)
{
    struct control_owner *owner;
    while ((owner = LIST_FIRST(&store->owners))) {
        for (unsigned place = 0; place < CONTROL_PAGES_MAX; place++) {
            struct control_memory *memory;
            while ((memory = LIST_FIRST(&owner->spare[place]))) {
                // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the one before was unlinked
                take_spare(store, memory);
                memory_free(store, memory);
            }
        }
        assert(owner->bytes == 0);
        owner_forget_if_empty(owner);
    }
}

/* ---- taking and giving ---- */

static int check(const struct control_store *store, const struct control_owner *owner, uint64_t bytes,
                 const struct control_bounds *bounds)
{
    uint64_t all = size_add_saturated(store->bytes, bytes), users = size_add_saturated(owner->bytes, bytes);
    if (users > bounds->user_bytes_max) {
        return CONTROL_E_USER_FULL;
    }
    if (store->kept_count >= control_store_kept_max(store) && owner->pages >= USER_PAGES_LEAST) {
        return CONTROL_E_KEPT;
    }
    return all > bounds->bytes_max && users > USER_BYTES_LEAST ? CONTROL_E_FULL : 0;
}

static int make(struct control_store *store, struct control_owner *owner, unsigned place, uint64_t bytes,
                const struct control_bounds *bounds, struct control_memory **ret)
{
    int result = check(store, owner, bytes, bounds);
    struct control_memory *memory = result ? NULL : memory_new(bytes, store->fd_ceiling, &result);
    if (memory) {
        memory->owner = owner;
        memory->place = place;
        descriptor_note(store->descriptors, memory->fd, DESCRIPTOR_CONTROL);
        owner->bytes += bytes;
        owner->pages++;
        store->bytes += bytes;
        *ret = memory;
    }
    return result;
}

int control_store_take(struct control_store *store, uint32_t uid, unsigned place, uint64_t bytes,
                       const struct control_bounds *bounds, struct control_memory **ret)
{
    struct control_owner *owner = owner_get(store, uid);
    struct control_memory *spare = owner && !bytes ? LIST_FIRST(&owner->spare[place]) : NULL;
    if (spare) {
        take_spare(store, spare);
        store->kept_count--;
        *ret = spare;
        return 0;
    }
    int result = owner ? make(store, owner, place, bytes ? bytes : bytes_of(place), bounds, ret) : -ENOMEM;
    if (owner) {
        owner_forget_if_empty(owner);
    }
    return result;
}

void control_store_give(struct control_store *store, struct control_memory *memory)
{
    struct control_owner *owner = memory->owner;
    if (memory->was_sent) {
        store->kept_count++;
        put_spare(store, memory);
        TAILQ_REMOVE(&store->kept, memory, kept);
        TAILQ_INSERT_HEAD(&store->kept, memory, kept); /* most come back soon */
    } else {
        memory_free(store, memory);
        owner_forget_if_empty(owner);
    }
}

void control_store_note_sent(struct control_memory *memory)
{
    memory->was_sent = true;
    memory->is_own = false;
}
