/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the call that an answer belongs to, and gives a granted lease or a view its segment. */
#include "client/answer.h"

#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/error.h"
#include "client/location.h"
#include "client/orphans.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"

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

static void add_extent(mb_lease *lease, const struct grant_reply *grant, struct packet_descriptors *descriptors)
{
    *lease_extent(lease, lease->extent_count++) = (struct extent){.bytes = grant->bytes,
                                                                  .fd = fd_steal(&descriptors->fd[0]),
                                                                  .readable = fd_steal(&descriptors->fd[1]),
                                                                  .is_present = grant->is_present,
                                                                  .prefault = grant->prefault};
}

static void give_back(mb_client *client, struct call *call, uint64_t lease, int result, const char *sentence)
{
    orphans_return(client, lease);
    calls_finish(client, call, result, sentence);
}

static void take_grant(mb_client *client, struct call *call, const struct grant_reply *grant,
                       struct packet_descriptors *descriptors)
{
    mb_lease *lease = call->lease;
    if (!lease || call->attached || lease->extent_count == EXTENTS_MAX || descriptors->fd[0] < 0 ||
        !control_find(client, grant->slot)) {
        give_back(client, call, grant->lease, -EPROTO, "the broker's grant is not valid");
        return;
    }
    if (lease->is_publishable && descriptors->fd[1] < 0) {
        give_back(client, call, grant->lease, -EOPNOTSUPP,
                  "this broker does not publish blocks; it is older than the library");
        return;
    }
    call->extent = lease->extent_count;
    if (lease->extent_count == 0) {
        begin_lease(client, lease, grant);
    }
    add_extent(lease, grant, descriptors);
    calls_finish(client, call, 0, "");
}

static void take_attached(mb_client *client, struct call *call, const struct attached_reply *reply,
                          struct packet_descriptors *descriptors)
{
    const struct grant_reply grant = {.lease = reply->lease,
                                      .location =
                                          reply->location ? reply->location : (enum location)location_published(),
                                      .bytes = reply->bytes,
                                      .ttl_ms = reply->ttl_ms,
                                      .huge_pages = reply->huge_pages,
                                      .slot = reply->slot,
                                      .generation = reply->generation};
    struct attached *attached = call->attached;
    if (!attached || descriptors->fd[0] < 0 || reply->metadata.count > sizeof attached->metadata ||
        !control_find(client, reply->slot)) {
        give_back(client, call, reply->lease, -EPROTO, "the broker's view of a block is not valid");
        return;
    }
    attached->block = reply->block;
    attached->metadata_bytes = reply->metadata.count;
    if (reply->metadata.count) {
        memcpy(attached->metadata, reply->metadata.data, reply->metadata.count);
    }
    text_copy(attached->type, sizeof attached->type, reply->type);
    begin_lease(client, call->lease, &grant);
    add_extent(call->lease, &grant, descriptors);
    calls_finish(client, call, 0, "");
}

static void take_object(mb_client *client, struct call *call, const struct got_reply *reply)
{
    struct got_answer *got = call->got;
    if (!got) {
        calls_finish(client, call, -EPROTO, "the broker sent an object that was not asked for");
        return;
    }
    got->bytes = reply->data.count;
    got->board = reply->board;
    if (got->bytes && got->bytes <= got->size) {
        memcpy(got->buffer, reply->data.data, got->bytes);
    }
    calls_finish(client, call, 0, "");
}

static void take_board_part(mb_client *client, struct call *call, const struct board_part_reply *reply,
                            struct packet_descriptors *descriptors)
{
    if (!call->board_part) {
        calls_finish(client, call, -EPROTO, "the broker sent a board that was not asked for");
        return;
    }
    *call->board_part = (struct board_part_answer){.fd = fd_steal(&descriptors->fd[0]), .bytes = reply->bytes};
    calls_finish(client, call, 0, "");
}

static void take_changes(mb_client *client, struct call *call, const struct block_changes_reply *reply)
{
    struct changes_answer *answer = call->changes;
    if (!answer || reply->change_count > MESSAGE_CHANGES_MAX) {
        calls_finish(client, call, -EPROTO, "the broker's changes of blocks are not valid");
        return;
    }
    answer->count = reply->change_count;
    answer->revision = reply->revision;
    answer->more = reply->more;
    answer->lost = reply->lost;
    if (answer->count) {
        memcpy(answer->changes, reply->changes, answer->count * sizeof *answer->changes);
    }
    calls_finish(client, call, 0, "");
}

static void take_blocks(mb_client *client, struct call *call, const struct listing_reply *listing)
{
    struct block_page *page = call->blocks;
    if (!page || listing->block_count > MESSAGE_BLOCKS_MAX) {
        calls_finish(client, call, -EPROTO, "the broker sent a list that was not asked for");
        return;
    }
    page->count = listing->block_count;
    page->has_more = listing->more;
    if (page->count > 0) {
        memcpy(page->blocks, listing->blocks, page->count * sizeof *page->blocks);
    }
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

/* Its call has given up. */
static void return_lease(mb_client *client, const struct reply *reply)
{
    if (reply->kind == REPLY_GRANT) {
        orphans_return(client, reply->grant.lease);
    } else if (reply->kind == REPLY_ATTACHED) {
        orphans_return(client, reply->attached.lease);
    }
}

/* An answer that a thread may wait for. */
static void finish_call(mb_client *client, const struct reply *reply, struct packet_descriptors *descriptors)
{
    struct call *call = calls_find(client, reply->reply_to);
    if (!call) {
        return_lease(client, reply);
    } else if (reply->kind == REPLY_GRANT) {
        take_grant(client, call, &reply->grant, descriptors);
    } else if (reply->kind == REPLY_ATTACHED) {
        take_attached(client, call, &reply->attached, descriptors);
    } else if (reply->kind == REPLY_GOT) {
        take_object(client, call, &reply->got);
    } else if (reply->kind == REPLY_BOARD_PART) {
        take_board_part(client, call, &reply->board_part, descriptors);
    } else if (reply->kind == REPLY_BLOCK_CHANGES) {
        take_changes(client, call, &reply->block_changes);
    } else if (reply->kind == REPLY_LISTING) {
        take_blocks(client, call, &reply->listing);
    } else if (reply->kind == REPLY_ERROR) {
        call->refusal = reply->error.refusal;
        call->ended = reply->error.ended;
        call->comes_free = reply->error.comes_free;
        calls_finish(client, call, error_code(&reply->error), reply->error.sentence);
    } else {
        calls_finish(client, call, 0, "");
    }
}

void answer_take(mb_client *client, const struct reply *reply, struct packet_descriptors *descriptors)
{
    const struct session *session = &client->session;
    if (reply->reply_to == session->hello_id && client->link.state == LINK_GREETING) {
        session_take_answer(client, reply, descriptors->fd[0]);
    } else if (reply->kind == REPLY_LISTING && reply->reply_to == session->list_id) {
        orphans_compare(client, &reply->listing);
    } else if (reply->kind == REPLY_RENEWED) {
        take_renewed(client, &reply->renewed);
    } else {
        finish_call(client, reply, descriptors);
    }
}
