/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the call that an answer belongs to, and gives a granted lease its segment. */
#include "client/answer.h"

#include <errno.h>

#include "client/client.h"
#include "client/error.h"
#include "client/orphans.h"
#include "proto/base/cleanup.h"

static void begin_lease(mb_client *client, mb_lease *lease, const struct grant_reply *grant)
{
    lease->client = client;
    client->session.had_lease = true;
    lease->id = grant->lease;
    lease->location = (mb_location)grant->location;
    lease->ttl_ms = grant->ttl_ms;
    lease->huge_pages = grant->huge_pages;
    lease->charge = (mb_charge)grant->charge;
    lease->file_bytes = grant->file_bytes;
    lease->slot_index = grant->slot;
    atomic_store(&lease->slot, control_find(client, grant->slot));
    lease->generation = grant->generation;
    lease->references = 1;
    TAILQ_INSERT_TAIL(&client->leases.list, lease, in_client);
    renewal_plan(client, clock_milliseconds() + lease->ttl_ms / 3);
}

static void add_extent(mb_lease *lease, const struct grant_reply *grant, int fd)
{
    *lease_extent(lease, lease->extent_count++) =
        (struct extent){.bytes = grant->bytes, .fd = fd, .is_present = grant->is_present, .prefault = grant->prefault};
}

static void take_grant(mb_client *client, struct call *call, const struct grant_reply *grant, int *fd)
{
    mb_lease *lease = call->lease;
    if (!lease || lease->extent_count == EXTENTS_MAX || *fd < 0 || !control_find(client, grant->slot)) {
        orphans_return(client, grant->lease);
        calls_finish(client, call, -EPROTO, "the broker's grant is not valid");
        return;
    }
    call->extent = lease->extent_count;
    if (lease->extent_count == 0) {
        begin_lease(client, lease, grant);
    }
    add_extent(lease, grant, fd_steal(fd));
    calls_finish(client, call, 0, "");
}

void answer_note_ended(mb_client *client, const struct lease_end *end)
{
    mb_lease *lease = lease_table_find(client, end->lease);
    if (lease) {
        lease_table_note_loss(lease, end->reason == END_NONE ? MB_END_EXPIRED : (mb_end_reason)end->reason);
    }
}

static void take_renewed(mb_client *client, const struct renewed_reply *renewed)
{
    for (size_t i = 0; i < renewed->ended_count; i++) {
        answer_note_ended(client, &renewed->ended[i]);
    }
}

/* An answer that a thread may wait for. */
static void finish_call(mb_client *client, const struct reply *reply, int *fd)
{
    struct call *call = calls_find(client, reply->reply_to);
    if (!call) {
        if (reply->kind == REPLY_GRANT) {
            orphans_return(client, reply->grant.lease);
        }
    } else if (reply->kind == REPLY_GRANT) {
        take_grant(client, call, &reply->grant, fd);
    } else if (reply->kind == REPLY_ERROR) {
        call->refusal = reply->error.refusal;
        calls_finish(client, call, error_code(&reply->error), reply->error.sentence);
    } else {
        calls_finish(client, call, 0, "");
    }
}

void answer_take(mb_client *client, const struct reply *reply, int *fd)
{
    const struct session *session = &client->session;
    if (reply->reply_to == session->hello_id && client->link.state == LINK_GREETING) {
        session_take_answer(client, reply, *fd);
    } else if (reply->kind == REPLY_LISTING && reply->reply_to == session->list_id) {
        orphans_compare(client, &reply->listing);
    } else if (reply->kind == REPLY_RENEWED) {
        take_renewed(client, &reply->renewed);
    } else {
        finish_call(client, reply, fd);
    }
}
