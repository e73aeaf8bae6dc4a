/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control pages of a client's sessions, the newest first. Old ones stay mapped as long as the client lives, since
 * other threads read slots without a lock. Unless it says otherwise, a function needs the client's lock held.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "membroker.h"
#include "proto/control_page.h"
#include "proto/message.h"

struct control_mapping {
    const struct control_page *page;
    ino_t inode;
    uint64_t bytes;
    uint64_t session; /* that the page belongs to */
    uint32_t first_slot, slots;
    SLIST_ENTRY(control_mapping) next;
};

SLIST_HEAD(control_mappings, control_mapping);

struct controls {
    struct control_mappings mappings;
};

/* Removes the mappings. No other thread uses the client any more. */
void control_close(struct controls *controls);

/*
 * Maps a control page of this session unless it is mapped already. Returns 0, or negative errno with what is wrong in
 * *ret_fault.
 */
int control_take(mb_client *client, uint64_t session, int fd, const struct control_page_event *page,
                 const char **ret_fault);

/* A slot of the client's session; NULL: it has no such slot. */
const struct control_slot *control_find(const mb_client *client, uint32_t slot);

/* The pressure that the broker has written. */
uint32_t control_pressure(const mb_client *client);
