/* SPDX-License-Identifier: Apache-2.0 */
/* What a request of a client does. */
#include "daemon/core/requests.h"

#include "daemon/core/answer.h"
#include "daemon/core/attach.h"
#include "daemon/core/ending.h"
#include "daemon/core/hold.h"
#include "daemon/core/publish.h"
#include "daemon/core/queue.h"
#include "daemon/core/reservations.h"
#include "daemon/core/trim.h"
#include "daemon/core/visibility.h"
#include "proto/base/size.h"

static struct lease *own_lease(const struct step *step, const struct session *session, uint64_t id)
{
    struct lease *lease = lease_table_find(&step->broker->leases, id);
    return lease && lease->session == session && lease->state == LEASE_ALIVE ? lease : NULL;
}

static void release(struct step *step, struct session *session, const struct request *request)
{
    struct lease *lease = own_lease(step, session, request->release_lease);
    if (lease) {
        ending_lease(step, lease, END_RELEASED);
        answer_to(step, session->peer, request->id, REPLY_DONE);
        return;
    }
    enum end_reason reason = session_recall(session, request->release_lease);
    if (reason == END_NONE) {
        answer_error(step, session->peer, request->id, ERROR_NO_SUCH_LEASE,
                     "this session has no lease %llu; list your leases to see which it has",
                     (unsigned long long)request->release_lease);
    } else {
        answer_error(step, session->peer, request->id, ERROR_LEASE_ENDED, "lease %llu had ended before: %s",
                     (unsigned long long)request->release_lease, end_reason_text(reason));
    }
}

static void renew(struct step *step, struct session *session, const struct request *request)
{
    struct broker *broker = step->broker;
    size_t ended = 0;
    hold_renewed(session, step->now);
    for (size_t i = 0; i < request->renew.use_count; i++) {
        const struct lease_use *use = &request->renew.use[i];
        struct lease *lease = own_lease(step, session, use->lease);
        if (lease) {
            session_note_use(session, lease, size_min(use->used_bytes, lease->bytes));
        } else if (ended < MESSAGE_ENDED_MAX) {
            broker->ended[ended++] = (struct lease_end){use->lease, session_recall(session, use->lease)};
        }
    }
    struct reply *reply = answer_to(step, session->peer, request->id, REPLY_RENEWED);
    if (reply) {
        reply->renewed = (struct renewed_reply){session->lease_count, broker->ended, ended};
    }
}

static void revoke(struct step *step, const struct input *input)
{
    const struct request *request = input->request.request;
    const struct identity *by = &input->request.identity;
    struct lease *lease = lease_table_find(&step->broker->leases, request->revoke_lease);
    if (!lease || lease->state != LEASE_ALIVE) {
        answer_error(step, input->peer, request->id, ERROR_NO_SUCH_LEASE,
                     "there is no lease %llu; it may have ended: `membrokerctl leases` lists those that live",
                     (unsigned long long)request->revoke_lease);
    } else if (by->uid != lease->session->identity.uid && !visibility_is_administrator(step->broker, by)) {
        answer_error(step, input->peer, request->id, ERROR_NOT_PERMITTED,
                     "lease %llu belongs to user %u and you are user %u; only its owner and administrators ([access] "
                     "admin_users, "
                     "admin_groups) may revoke it",
                     (unsigned long long)lease->id, lease->session->identity.uid, by->uid);
    } else {
        const struct effect_cause cause = {.pid = by->pid, .uid = by->uid};
        ending_revoked(step, lease, &cause);
        answer_to(step, input->peer, request->id, REPLY_DONE);
    }
}

static void bye(struct step *step, struct session *session, const struct request *request)
{
    session->bye_request = request->id; /* answered when nothing of it is left */
    ending_session(step, session, END_RELEASED);
}

static void session_request(struct step *step, struct session *session, const struct input_request *input)
{
    const struct request *request = input->request;
    switch (request->kind) {
    case REQUEST_ACQUIRE:
    case REQUEST_EXTEND:
        queue_request(step, session, request, input->file_bytes);
        return;
    case REQUEST_RELEASE:
        release(step, session, request);
        return;
    case REQUEST_RENEW:
        renew(step, session, request);
        return;
    case REQUEST_BYE:
        bye(step, session, request);
        return;
    case REQUEST_PUBLISH:
        publish_request(step, session, request);
        return;
    case REQUEST_ATTACH_BLOCK:
        attach_request(step, session, request);
        return;
    case REQUEST_WATCH_BLOCKS:
        watch_request(step, session, request);
        return;
    case REQUEST_PUT:
        put_request(step, session, request);
        return;
    case REQUEST_CANCEL:
        attach_cancel(step, session, request->cancel_request);
        watch_cancel(step, session, request->cancel_request);
        queue_cancel(step, session, request);
        return;
    case REQUEST_TRIMMED:
        trim_answered(step->broker, session);
        answer_to(step, session->peer, request->id, REPLY_DONE);
        return;
    case REQUEST_REVOKE:
    case REQUEST_HELLO:
    case REQUEST_STATUS:
    case REQUEST_LIST:
    case REQUEST_PING:
    case REQUEST_AUDIT:
    case REQUEST_WHY:
    case REQUEST_RELOAD:
    case REQUEST_METRICS:
    case REQUEST_RESERVE:
    case REQUEST_ATTACH:
    case REQUEST_UNRESERVE:
    case REQUEST_SUSPEND:
    case REQUEST_UNPUBLISH:
    case REQUEST_REMOVE:
    case REQUEST_GET:
    case REQUEST_OPEN_BOARD:
    case REQUEST_UNKNOWN:
    case REQUEST_KINDS:
        break;
    }
    answer_error(step, session->peer, request->id, ERROR_UNKNOWN_REQUEST, "this broker does not know that request");
}

static bool is_about_reservation(enum request_kind kind)
{
    return kind == REQUEST_RESERVE || kind == REQUEST_ATTACH || kind == REQUEST_UNRESERVE || kind == REQUEST_SUSPEND;
}

void requests_handle(struct step *step, const struct input *input, struct session *session)
{
    const struct request *request = input->request.request;
    if (request->kind == REQUEST_REVOKE) {
        revoke(step, input);
    } else if (request->kind == REQUEST_UNPUBLISH) {
        publish_take_back(step, input);
    } else if (request->kind == REQUEST_REMOVE) {
        put_remove(step, input);
    } else if (is_about_reservation(request->kind)) {
        reservations_request(step, input);
    } else if (session) {
        session_set_room(session, &input->request.room);
        session_request(step, session, &input->request);
    } else {
        answer_error(step, input->peer, request->id, ERROR_MONITOR,
                     "this connection has no session and can hold no lease: it is a monitor's, or its session is over");
    }
}
