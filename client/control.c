/* SPDX-License-Identifier: Apache-2.0 */
/* Maps control pages, and finds slots in them. */
#include "client/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/client.h"
#include "client/received.h"
#include "proto/base/without_const.h"

static const struct control_mapping *find_mapping(const mb_client *client, uint64_t session, uint32_t slot)
{
    const struct control_mapping *mapping;
    SLIST_FOREACH(mapping, &client->controls.mappings, next)
    {
        if (mapping->session == session && slot >= mapping->first_slot && slot - mapping->first_slot < mapping->slots) {
            return mapping;
        }
    }
    return NULL;
}

static void unmap(const struct control_page *page, uint64_t bytes)
{
    (void)munmap(without_const(page), bytes);
}

/* How many slots the page says that it has. 0: the library does not know this kind of page. */
static uint32_t slots_of(const struct control_page *page, uint64_t bytes, uint32_t first_slot)
{
    bool is_known = page->magic == CONTROL_PAGE_MAGIC && page->version == CONTROL_PAGE_VERSION &&
                    page->first_slot == first_slot && page->slots <= control_page_slots(bytes);
    return is_known ? page->slots : 0;
}

static int map(struct control_mapping *mapping, int fd, ino_t inode, const struct control_page_event *page)
{
    void *address = mmap(NULL, page->bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        return -errno;
    }
    *mapping = (struct control_mapping){
        .page = address,
        .inode = inode,
        .bytes = page->bytes,
        .first_slot = page->first_slot,
        .slots = slots_of(address, page->bytes, page->first_slot),
    };
    if (mapping->slots == 0) {
        unmap(address, page->bytes);
        return -EPROTO;
    }
    return 0;
}

/* A broker that was restarted has new pages; one that was not sends the same again. */
static bool is_mapped(const mb_client *client, uint64_t session, ino_t inode, uint32_t first_slot)
{
    const struct control_mapping *mapping = find_mapping(client, session, first_slot);
    return mapping && inode == mapping->inode;
}

int control_take(mb_client *client, uint64_t session, int fd, const struct control_page_event *page,
                 const char **ret_fault)
{
    ino_t inode = 0;
    *ret_fault = page->bytes < CONTROL_HEADER_BYTES || page->bytes > CONTROL_WHOLE_BYTES
                     ? "the broker's control page has an absurd size"
                     : received_control_fault(fd, page->bytes, &inode);
    if (*ret_fault) {
        return -EPROTO;
    }
    if (is_mapped(client, session, inode, page->first_slot)) {
        return 0;
    }
    struct control_mapping *mapping = malloc(sizeof *mapping);
    int result = mapping ? map(mapping, fd, inode, page) : -ENOMEM;
    if (result < 0) {
        free(mapping);
        *ret_fault = result == -EPROTO ? "the broker's control page is none that this library knows"
                                       : "the broker's control page can't be mapped";
        return result;
    }
    mapping->session = session;
    SLIST_INSERT_HEAD(&client->controls.mappings, mapping, next);
    lease_table_move_slots(client, mapping);
    return 0;
}

const struct control_slot *control_find(const mb_client *client, uint32_t slot)
{
    const struct control_mapping *mapping = find_mapping(client, client->session.id, slot);
    return mapping ? &mapping->page->slot[slot - mapping->first_slot] : NULL;
}

uint32_t control_pressure(const mb_client *client)
{
    const struct control_mapping *mapping = find_mapping(client, client->session.id, 0);
    return mapping ? atomic_load_explicit(&mapping->page->pressure, memory_order_relaxed) : 0;
}

void control_close(struct controls *controls)
{
    while (!SLIST_EMPTY(&controls->mappings)) {
        struct control_mapping *mapping = SLIST_FIRST(&controls->mappings);
        SLIST_REMOVE_HEAD(&controls->mappings, next);
        unmap(mapping->page, mapping->bytes);
        free(mapping);
    }
}
