/* SPDX-License-Identifier: Apache-2.0 */
/* Owners are a list: a host has few users. */
#include "daemon/runtime/control_store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/os/memfd.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

/* Of a user, whatever all have: nobody shuts others out by taking everything. */
#define USER_BYTES_LEAST (UINT64_C(64) * 1024)

void control_store_init(struct control_store *store, int fd_ceiling, struct descriptor_uses *descriptors)
{
    *store = (struct control_store){.fd_ceiling = fd_ceiling, .descriptors = descriptors};
    LIST_INIT(&store->owners);
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
    void *address = NULL;
    int fd = memory ? memfd_control(bytes, &address) : -ENOMEM;
    if (fd >= fd_ceiling) { /* the last descriptors are not for clients */
        (void)munmap(address, bytes);
        (void)close(fd);
        fd = -EMFILE;
    }
    if (fd < 0) {
        free(memory);
        *ret_error = fd;
        return NULL;
    }
    *memory = (struct control_memory){.fd = fd, .page = address, .bytes = bytes, .slots = control_page_slots(bytes)};
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
    (void)munmap(memory->page, memory->bytes);
    (void)descriptor_close(store->descriptors, memory->fd);
    free(memory);
}

void control_store_deinit(struct control_store *store)
{
    struct control_owner *owner;
    while ((owner = LIST_FIRST(&store->owners))) {
        for (unsigned place = 0; place < CONTROL_PAGES_MAX; place++) {
            struct control_memory *memory;
            while ((memory = LIST_FIRST(&owner->spare[place]))) {
                LIST_REMOVE(memory, spare);
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
        LIST_REMOVE(spare, spare);
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
        LIST_INSERT_HEAD(&owner->spare[memory->place], memory, spare);
    } else {
        memory_free(store, memory);
        owner_forget_if_empty(owner);
    }
}
