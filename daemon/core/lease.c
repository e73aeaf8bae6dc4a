/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/lease.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/revocable.h"

/* The slot that says to its client that the lease is alive. 0, or an error of slots.h. */
static int take_slot(struct session *session, struct lease *lease, const struct lease_terms *terms)
{
    if (!terms->is_restored) {
        return slot_take(&session->slots, &lease->slot, &lease->generation);
    }
    lease->slot = terms->slot;
    lease->generation = terms->generation;
    return slot_restore(&session->slots, terms->slot, terms->generation);
}

int lease_new(struct broker *broker, struct session *session, const struct lease_terms *terms, struct lease **ret)
{
    struct lease *lease = calloc(1, sizeof *lease);
    if (!lease) {
        return LEASE_E_MEMORY;
    }
    if (terms->file[0] && !lease_table_name_file(&broker->leases, lease, terms->file, terms->file_bytes)) {
        lease_free(&broker->leases, lease);
        return LEASE_E_MEMORY;
    }
    int error = take_slot(session, lease, terms);
    if (error) {
        lease_free(&broker->leases, lease);
        return error == SLOT_E_FULL ? LEASE_E_SLOTS : LEASE_E_MEMORY;
    }
    lease->id = terms->id;
    lease->session = session;
    lease->state = LEASE_MAKING;
    lease->location = terms->location;
    lease->ttl_ns = terms->ttl_ns;
    lease->options = terms->options;
    lease->is_publishable = terms->is_publishable;
    memcpy(lease->name, terms->name, sizeof lease->name);
    TAILQ_INIT(&lease->segments);
    session_add_lease(session, lease);
    lease_table_add(&broker->leases, lease);
    *ret = lease;
    return 0;
}

void lease_attach(struct broker *broker, struct lease *lease, struct segment *segment)
{
    segment->lease = lease;
    TAILQ_INSERT_TAIL(&lease->segments, segment, in_lease);
    lease->extents++;
    session_add_segment(&broker->sessions, lease->session);
}

void lease_abandon(struct broker *broker, struct lease *lease)
{
    struct session *session = lease->session;
    slot_give(&session->slots, lease->slot);
    lease_table_remove(&broker->leases, lease);
    session_remove_lease(session, lease);
    broker->retry_waiting = true;
    lease_free(&broker->leases, lease);
}

void lease_free(struct lease_table *table, struct lease *lease)
{
    lease_table_forget_file(table, lease);
    free(lease);
}

void lease_grow(struct lease *lease, uint64_t bytes)
{
    bool is_revocable = lease->revocable;
    revocable_remove(lease); /* the set finds it by its size */
    lease->bytes += bytes;
    if (is_revocable) {
        revocable_insert(lease);
    }
}
