/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching blocks. A view takes no memory, so nothing but the bounds on leases and views can refuse one, and it does
 * not stand in the queue of those that wait for memory.
 */
#include "daemon/core/attach.h"

#include "daemon/core/answer.h"
#include "daemon/core/demand_check.h"
#include "daemon/core/denial.h"
#include "daemon/core/refusal.h"
#include "daemon/core/sharing_limit.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* The block of that name, if this session may attach it. */
static struct block *find(const struct broker *broker, const struct session *session,
                          const struct attach_block_request *request)
{
    struct block *block = block_table_named(&broker->blocks, request->owner, request->name);
    bool may = block && block_admits(block->access, block->owner, block->gid, &session->identity);
    return may ? block : NULL;
}

/* The answer that was given last. */
static struct error_reply *last_error(const struct step *step)
{
    return &step->effects->effects[step->effects->count - 1].reply.reply.error;
}

/* A user who may not attach a block is not told that there is, or was, one. */
static void refuse(struct step *step, const struct session *session, uint64_t request_id,
                   const struct attach_block_request *request)
{
    const struct ended_block *ended = block_table_recall(&step->broker->blocks, request->owner, request->name);
    if (!ended || !block_admits(ended->access, ended->owner, ended->gid, &session->identity)) {
        answer_error(
            step, session->peer, request_id, ERROR_NO_SUCH_BLOCK,
            "user %u publishes no block \"%s\" that user %u may attach; `membrokerctl blocks` lists those that "
            "there are",
            request->owner, request->name, session->identity.uid);
        return;
    }
    answer_error(step, session->peer, request_id, ERROR_BLOCK_ENDED, "the block \"%s\" of user %u has ended: %s",
                 request->name, request->owner, end_reason_text_of_block(ended->reason));
    if (request_id) {
        last_error(step)->ended = ended->reason;
    }
}

static void refuse_lease(struct step *step, struct session *session, const struct principal *full, uint64_t request_id)
{
    const struct wish wish = {.takes_lease = true}; /* and no bytes */
    const struct denial denial = denial_of_leases(full);
    refusal_note(step, session, &wish, &denial);
    answer_error(step, session->peer, request_id, denial.code,
                 "%s has %llu leases and views, and its max_leases is %llu; release some, or raise that", full->whose,
                 (unsigned long long)full->leases, (unsigned long long)full->quota.max_leases);
    if (request_id) {
        denial_figures(&denial, &last_error(step)->refusal);
    }
}

/* False after an answer. */
static bool has_room(struct step *step, struct session *session, uint64_t request_id)
{
    const struct principal *full = share_full_of_leases(session->share);
    if (full) {
        refuse_lease(step, session, full, request_id);
        return false;
    }
    return sharing_limit_check(step, session, LIMIT_KIND_VIEWS, request_id);
}

static struct lease *new_view(struct step *step, struct session *session, const struct block *block, uint32_t ttl_ms,
                              uint64_t request_id)
{
    struct broker *broker = step->broker;
    struct lease *lease = NULL;
    uint32_t ttl = ttl_ms ? ttl_ms : broker->options.settings.times.ttl_default_ms;
    const struct lease_terms terms = {.id = broker->next_lease,
                                      .location = block->segment->charge.location,
                                      .ttl_ns = ttl * NANOSECONDS_PER_MILLISECOND,
                                      .options = {.numa_node = -1},
                                      .name = block->name,
                                      .file = ""};
    int error = lease_new(broker, session, &terms, &lease);
    if (error == LEASE_E_SLOTS) {
        answer_error(step, session->peer, request_id, ERROR_TOO_MANY,
                     "this session has %u leases and views, and can't have more; close some, or open another session",
                     session->slots.capacity_max);
    } else if (error) {
        answer_out_of_tables(step, session->peer, request_id);
    }
    return lease;
}

static void answer_attached(struct step *step, const struct block *block, const struct lease *lease,
                            uint64_t request_id)
{
    struct effect_reply *reply = &effect_push(step->effects, EFFECT_REPLY)->reply;
    reply->peer = lease->session->peer;
    reply->segment_handle = block->segment->handle;
    reply->lending = LENDS_READABLE;
    reply->reply = (struct reply){.is_answer = true, .reply_to = request_id, .descriptors = 1, .kind = REPLY_ATTACHED};
    reply->reply.attached = (struct attached_reply){.lease = lease->id,
                                                    .block = block->id,
                                                    .bytes = block->segment->charge.bytes,
                                                    .ttl_ms = (uint32_t)(lease->ttl_ns / NANOSECONDS_PER_MILLISECOND),
                                                    .slot = lease->slot,
                                                    .generation = lease->generation,
                                                    .huge_pages = block->segment->has_huge_pages,
                                                    .lifetime = block->lifetime,
                                                    .location = block->segment->charge.location,
                                                    .metadata = {block->metadata, block->metadata_count}};
    text_copy(reply->reply.attached.type, sizeof reply->reply.attached.type, block->type);
}

/* A view without a request's answer would be known to nobody. */
static void attach(struct step *step, struct session *session, struct block *block,
                   const struct attach_block_request *request, uint64_t request_id)
{
    struct broker *broker = step->broker;
    struct lease *lease =
        has_room(step, session, request_id) ? new_view(step, session, block, request->ttl_ms, request_id) : NULL;
    if (!lease) {
        return;
    }
    broker->next_lease++;
    broker->counters.granted++;
    broker->blocks.figures.attached++;
    lease->has_slot = true;
    block_add_view(broker, block, lease);
    lease_table_grant(&broker->leases, lease, step->now);
    effect_push(step->effects, EFFECT_SLOT)->slot =
        (struct effect_slot){session->peer, lease->slot, lease->generation, END_NONE};
    answer_attached(step, block, lease, request_id);
}

void attach_request(struct step *step, struct session *session, const struct request *request)
{
    struct request owned = *request;
    struct attach_block_request *wanted = &owned.attach_block;
    wanted->owner = wanted->has_owner ? wanted->owner : session->identity.uid;
    struct block *block = find(step->broker, session, wanted);
    if (!demand_check_ttl(step, session, request->id, wanted->ttl_ms)) {
        return;
    }
    if (block) {
        attach(step, session, block, wanted, request->id);
    } else if (wanted->wait_ms) {
        (void)name_wait_add(step, session, &owned);
    } else {
        refuse(step, session, request->id, wanted);
    }
}

bool attach_waiting(struct step *step, struct name_wait *wait)
{
    struct block *block = find(step->broker, wait->session, &wait->request);
    if (block) {
        attach(step, wait->session, block, &wait->request, wait->request_id);
    } else if (wait->until <= step->now) {
        refuse(step, wait->session, wait->request_id, &wait->request);
    } else {
        return false;
    }
    name_wait_free(step->broker, wait);
    return true;
}

void attach_cancel(struct step *step, struct session *session, uint64_t request_id)
{
    struct name_wait *wait = name_wait_find(step->broker, session, request_id);
    if (wait) {
        answer_error(step, session->peer, request_id, ERROR_CANCELLED, "the request was cancelled");
        name_wait_free(step->broker, wait);
    }
}
