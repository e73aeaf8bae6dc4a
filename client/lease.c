/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a lease. None of it takes a lock. */
#include "client/lease.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/error.h"
#include "client/loss.h"

int lease_make_room(mb_lease *lease)
{
    if (!lease->more) {
        lease->more = calloc(EXTENTS_MAX - 1, sizeof *lease->more);
    }
    return lease->more ? 0 : error_no_memory();
}

void lease_unreference(mb_lease *lease)
{
    if (--lease->references == 0) {
        free(lease->more);
        free(lease->owned);
        free(lease);
    }
}

/* Whether the broker closed the connection, though the client may not have read so yet. */
static bool is_hung_up(const struct link *link)
{
    struct pollfd socket = {.fd = link->socket, .events = POLLRDHUP};
    return poll(&socket, 1, 0) == 1 && socket.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/*
 * While there is no connection, the control page does not show what the next broker ends. After a connection in the old
 * session, the list of its leases tells.
 */
bool lease_note_fault(mb_lease *lease)
{
    const mb_client *client = lease->client;
    if (client->link.state == LINK_UP && !client->session.list_id && !is_hung_up(&client->link)) {
        return false;
    }
    atomic_store_explicit(&lease->lost, MB_END_BROKER_GONE, memory_order_release);
    return true;
}

mb_end_reason mb_lease_end_reason(const mb_lease *lease)
{
    uint32_t lost = atomic_load_explicit(&lease->lost, memory_order_acquire);
    if (lost) {
        return (mb_end_reason)lost;
    }
    const struct control_slot *slot = atomic_load_explicit(&lease->slot, memory_order_acquire);
    if (atomic_load_explicit(&slot->generation, memory_order_acquire) == lease->generation) {
        return MB_END_NONE;
    }
    return (mb_end_reason)atomic_load_explicit(&slot->end_reason, memory_order_relaxed);
}

int mb_lease_check(const mb_lease *lease)
{
    mb_end_reason reason = mb_lease_end_reason(lease);
    if (__builtin_expect(reason == MB_END_NONE, 1)) {
        return error_end(0);
    }
    char sentence[LOSS_SENTENCE_BYTES];
    (void)loss_sentence(lease, reason, "", "", sentence, sizeof sentence);
    return error_set_lost(lease->id, sentence, reason);
}

uint64_t mb_lease_id(const mb_lease *lease)
{
    return lease->id;
}

uint64_t mb_lease_bytes(const mb_lease *lease)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < lease->extent_count; i++) {
        bytes += lease_extent(lease, i)->bytes;
    }
    return bytes;
}

mb_location mb_lease_location(const mb_lease *lease)
{
    return lease->location;
}

unsigned mb_lease_extents(const mb_lease *lease)
{
    return lease->extent_count;
}

uint32_t mb_lease_ttl(const mb_lease *lease)
{
    return lease->ttl_ms;
}

uint64_t mb_lease_file_bytes(const mb_lease *lease)
{
    return lease->file_bytes;
}

int mb_lease_has_huge_pages(const mb_lease *lease)
{
    return lease->huge_pages;
}

mb_charge mb_lease_charge(const mb_lease *lease)
{
    return lease->charge;
}
