/* SPDX-License-Identifier: Apache-2.0 */
/* The leases that a client has, cached ones included. The client's lock is held. */
#pragma once

#include <sys/queue.h>

#include "client/lease.h"

TAILQ_HEAD(lease_list, mb_lease);

struct lease_table {
    struct lease_list list;
};

struct control_mapping;

void lease_table_init(struct lease_table *table);

/* Unmaps and frees all leases. Queued events may still refer to one. */
void lease_table_close(struct lease_table *table);

/* NULL: there is none. */
mb_lease *lease_table_find(const mb_client *client, uint64_t id);

/* Notes a loss, once: an event tells the program. */
void lease_table_note_loss(mb_lease *lease, mb_end_reason reason);

/* Notes every loss that the control pages show. `all_lost`: all other leases are lost too, for this reason. */
void lease_table_sweep(mb_client *client, mb_end_reason all_lost);

/* The session has another control page: its slots are there from now on. */
void lease_table_move_slots(mb_client *client, const struct control_mapping *mapping);
