/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing blocks. The request is checked, the shell proves that nobody can write to the segment any more, and only
 * then the block exists: a publication that fails at any point leaves the lease as it was, and no name.
 */
#include "daemon/core/publish.h"

#include <errno.h>
#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/sharing_limit.h"
#include "daemon/core/take_back.h"
#include "daemon/core/victim.h"
#include "proto/base/size.h"

/* ---- checks: each answers if it fails ---- */

static struct lease *lease_to_publish(struct step *step, struct session *session, const struct request *request)
{
    uint64_t id = request->publish.lease;
    struct lease *lease = lease_table_find(&step->broker->leases, id);
    if (lease && lease->session == session && lease->state == LEASE_ALIVE) {
        return lease;
    }
    enum end_reason reason = session_recall(session, id);
    answer_error(step, session->peer, request->id, reason == END_NONE ? ERROR_NO_SUCH_LEASE : ERROR_LEASE_ENDED,
                 "lease %llu can't be published: %s", (unsigned long long)id,
                 reason == END_NONE ? "this session has no such lease" : end_reason_text(reason));
    return NULL;
}

/* One that repeats a publication is answered as that was. */
static bool check_lease(struct step *step, const struct session *session, const struct request *request,
                        const struct lease *lease)
{
    const struct block *block = lease->block;
    uint64_t id = request->id;
    if (block && block->state == BLOCK_PUBLISHED && strcmp(block->name, request->publish.name) == 0 &&
        block->publisher == lease) {
        answer_to(step, session->peer, id, REPLY_DONE);
    } else if (block) {
        answer_error(step, session->peer, id, ERROR_INVALID, "lease %llu %s the block \"%s\"; publish another lease",
                     (unsigned long long)lease->id,
                     block->publisher != lease       ? "is a view of"
                     : block->state == BLOCK_WRITING ? "is being published as"
                                                     : "was published as",
                     block->name);
    } else if (!lease->is_publishable) {
        answer_error(step, session->peer, id, ERROR_INVALID,
                     "lease %llu was not acquired as publishable; ask for another one, with publishable",
                     (unsigned long long)lease->id);
    }
    return !block && lease->is_publishable;
}

static bool check_terms(struct step *step, const struct session *session, const struct request *request)
{
    const struct publish_request *terms = &request->publish;
    if (terms->keep_ms && terms->lifetime != LIFETIME_KEEP) {
        answer_error(step, session->peer, request->id, ERROR_INVALID,
                     "the block \"%s\" can't be published: keep_ms goes with lifetime KEEP only", terms->name);
        return false;
    }
    if (terms->access == BLOCK_ACCESS_GROUP && !identity_has_group(&session->identity, terms->gid)) {
        answer_error(step, session->peer, request->id, ERROR_NOT_PERMITTED,
                     "user %u is not in group %u; publish for a group that the process is in", session->identity.uid,
                     terms->gid);
        return false;
    }
    return true;
}

/* A file has no seals: its owner's processes alone may have it, who could only deceive themselves. */
static bool check_readers(struct step *step, const struct session *session, const struct request *request,
                          const struct lease *lease)
{
    bool is_fit = location_has_seals(lease->location) || request->publish.access == BLOCK_ACCESS_USER;
    if (!is_fit) {
        answer_error(
            step, session->peer, request->id, ERROR_NOT_SUPPORTED,
            "lease %llu is a file (location MMAP), and only processes of its own user may attach that: no seal "
            "of the kernel keeps a file as it is; publish with access USER, or acquire the block in RAM",
            (unsigned long long)lease->id);
    }
    return is_fit;
}

/* The block that is in the way of the name; it may be replaced. */
static bool check_name(struct step *step, const struct session *session, uint64_t request_id, const char *name,
                       bool replace)
{
    const struct block *other = block_table_named(&step->broker->blocks, session->identity.uid, name);
    if (other && !replace) {
        answer_error(step, session->peer, request_id, ERROR_NAME_TAKEN,
                     "user %u has a block \"%s\" already; publish with `replace`, unpublish that, or take another name",
                     other->owner, name);
    }
    return !other || replace;
}

/* ---- publishing ---- */

void publish_request(struct step *step, struct session *session, const struct request *request)
{
    struct broker *broker = step->broker;
    const struct publish_request *asked = &request->publish;
    struct lease *lease = lease_to_publish(step, session, request);
    if (!lease || !check_lease(step, session, request, lease) || !check_terms(step, session, request) ||
        !check_readers(step, session, request, lease) ||
        !check_name(step, session, request->id, asked->name, asked->replace) ||
        !sharing_limit_check(step, session, LIMIT_KIND_BLOCKS, request->id)) {
        return;
    }
    const struct block_terms terms = {.owner = session->identity.uid,
                                      .lifetime = asked->lifetime,
                                      .access = asked->access,
                                      .gid = asked->gid,
                                      .keep_ns = asked->keep_ms * NANOSECONDS_PER_MILLISECOND,
                                      .name = asked->name,
                                      .type = asked->type,
                                      .metadata = asked->metadata};
    struct block *block = block_new(broker, session->share, &terms);
    if (!block) {
        answer_out_of_tables(step, session->peer, request->id);
        return;
    }
    block->request_id = request->id;
    block->replace = asked->replace;
    block->publisher = lease;
    block->segment = TAILQ_FIRST(&lease->segments);
    block->segment->block = block;
    lease->block = block;
    segment_begin_sealing(step, block->segment);
}

/* The lease stays, and may be published once more. */
static void give_up(struct broker *broker, struct block *block)
{
    block->publisher->block = NULL;
    block->segment->block = NULL;
    block->publisher = NULL;
    block_free(broker, block);
}

static void explain(struct step *step, const struct block *block, int error)
{
    void *peer = block->publisher->session->peer;
    unsigned long long lease = block->publisher->id;
    if (error == -EBUSY) {
        answer_error(
            step, peer, block->request_id, ERROR_STILL_WRITABLE,
            "the segment of lease %llu can still be written: by a mapping, by a descriptor (perhaps of a child, "
            "or in flight), or by a device (io_uring); end that, and publish again",
            lease);
    } else if (error == -EPERM) {
        answer_error(
            step, peer, block->request_id, ERROR_INVALID,
            "the size of the segment of lease %llu was changed, or %s, with which it can't be published; release it, "
            "and publish another one",
            lease,
            location_has_seals(block->publisher->location) ? "seals were added to it" : "holes were punched into it");
    } else {
        answer_error(step, peer, block->request_id, ERROR_SYSTEM,
                     "the kernel did not seal the segment of lease %llu: %s", lease, strerrordesc_np(-error));
    }
}

static void finish(struct step *step, struct block *block)
{
    struct broker *broker = step->broker;
    struct lease *lease = block->publisher;
    struct block *other = block_table_named(&broker->blocks, block->owner, block->name);
    (void)block_tell(step, block, BLOCK_CHANGE_PUBLISHED);
    if (other) { /* after that effect: a daemon that is killed between the two has one of them */
        block_condemn(step, other, END_REPLACED, &lease->session->identity);
    }
    victim_forget(broker, lease);
    block_publish(broker, block, lease, step->now);
    broker->retry_waiting = true; /* the session itself has fewer bytes now */
    broker->blocks.figures.published++;
    answer_to(step, lease->session->peer, block->request_id, REPLY_DONE);
}

void publish_sealed(struct step *step, struct segment *segment, int error)
{
    struct block *block = segment->block;
    segment->is_sealing = false;
    if (!block) { /* its lease has ended */
        segment_begin_freeing(step, segment);
        return;
    }
    const struct session *session = block->publisher->session;
    if (error < 0) {
        explain(step, block, error);
        give_up(step->broker, block);
    } else if (!check_name(step, session, block->request_id, block->name, block->replace)) {
        give_up(step->broker, block);
    } else {
        finish(step, block);
    }
}

/* ---- taking the name back ---- */

void publish_take_back(struct step *step, const struct input *input)
{
    const struct broker *broker = step->broker;
    const struct request *request = input->request.request;
    const struct unpublish_request *asked = &request->unpublish;
    const struct identity *by = &input->request.identity;
    uint32_t owner = asked->has_owner ? asked->owner : by->uid;
    struct block *block = block_table_named(&broker->blocks, owner, asked->name);
    if (!block || !take_back_is_shown(broker, by, block->access, owner, block->gid)) {
        answer_error(step, input->peer, request->id, ERROR_NO_SUCH_BLOCK,
                     "user %u publishes no block \"%s\"; `membrokerctl blocks` lists those that there are", owner,
                     asked->name);
    } else if (take_back_check(step, input, owner, "block", asked->name, "unpublish")) {
        block_condemn(step, block, END_UNPUBLISHED, by);
        answer_to(step, input->peer, request->id, REPLY_DONE);
    }
}
