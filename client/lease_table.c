/* SPDX-License-Identifier: Apache-2.0 */
/* Finding leases, and noticing their loss. */
#include "client/lease_table.h"

#include "client/client.h"
#include "client/mapping.h"

void lease_table_init(struct lease_table *table)
{
    TAILQ_INIT(&table->list);
}

void lease_table_close(struct lease_table *table)
{
    mb_lease *lease;
    while ((lease = TAILQ_FIRST(&table->list))) {
        TAILQ_REMOVE(&table->list, lease, in_client);
        mapping_remove(lease);
        lease_unreference(lease);
    }
}

mb_lease *lease_table_find(const mb_client *client, uint64_t id)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        if (lease->id == id) {
            return lease;
        }
    }
    return NULL;
}

static void begin_epoch(mb_client *client)
{
    atomic_store(&client->epoch, registry_new_number());
}

/* For the program, a lease that it released is gone already. */
void lease_table_note_loss(mb_lease *lease, mb_end_reason reason)
{
    const mb_event details = {.reason = reason};
    if (lease->is_loss_noted) {
        return;
    }
    lease->is_loss_noted = true;
    begin_epoch(lease->client); /* before: a thread that sees the loss takes nothing from an older cache */
    atomic_store_explicit(&lease->lost, (uint32_t)reason, memory_order_release);
    begin_epoch(lease->client); /* and after: meanwhile a cache could be filled by a thread that did not see it */
    if (lease_is_held(lease)) {
        events_push(lease->client, MB_EVENT_LEASE_LOST, lease, &details);
    }
}

void lease_table_sweep(mb_client *client, mb_end_reason all_lost)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        mb_end_reason reason = mb_lease_end_reason(lease);
        if (reason == MB_END_NONE) {
            reason = all_lost;
        }
        if (reason != MB_END_NONE) {
            lease_table_note_loss(lease, reason);
        }
    }
}

void lease_table_move_slots(mb_client *client, const struct control_mapping *mapping)
{
    mb_lease *lease;
    if (mapping->session != client->session.id) {
        return;
    }
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        if (lease->slot_index >= mapping->first_slot && lease->slot_index - mapping->first_slot < mapping->slots) {
            atomic_store(&lease->slot, &mapping->page->slot[lease->slot_index - mapping->first_slot]);
        }
    }
}
