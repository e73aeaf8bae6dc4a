/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker: its life, the dispatch of inputs, and the small requests. What it takes to grant
 * memory is in place.c, grant.c and queue.c, what it takes to get it back in ending.c and judge.c.
 */
#include "daemon/core/broker.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

struct broker *broker_new(const struct broker_options *options)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (!broker) {
        return NULL;
    }
    broker->coming_free = calloc(EARLIEST_REMEMBERED, sizeof *broker->coming_free);
    broker->options = *options;
    LIST_INIT(&broker->reserves);
    account_init(&broker->host, "host", &options->settings.limits);
    broker->host.reserves = &broker->reserves;
    session_table_init(&broker->sessions);
    lease_table_init(&broker->leases);
    RB_INIT(&broker->segments);
    TAILQ_INIT(&broker->revoking);
    TAILQ_INIT(&broker->spared);
    TAILQ_INIT(&broker->trimming);
    learned_table_init(&broker->learned);
    pool_init(broker);
    if (party_table_init(&broker->parties, &broker->host, options->settings.policy) < 0 || !broker->coming_free) {
        return broker_free(broker);
    }
    broker->options.settings.policy = NULL; /* the parties have a copy */
    broker->next_session = broker->next_lease = broker->next_segment = 1;
    broker->host_epoch = 1; /* 0 is that of what was restored: it is in the host's figures already */
    broker->host_available_bytes = broker->host_total_bytes = UINT64_MAX; /* until the first look */
    return broker;
}

struct broker *broker_free(struct broker *broker)
{
    if (!broker) {
        return NULL;
    }
    struct effect_list *unheard = &broker->unheard;
    struct step step = {.broker = broker, .effects = unheard};
    struct session *session;
    struct segment *segment;
    while ((session = session_table_next(&broker->sessions, 0))) {
        unheard->count = 0;
        session_over(&step, session, END_SHUTDOWN);
    }
    while (!TAILQ_EMPTY(&broker->sessions.over)) {
        unheard->count = 0;
        ending_work(&step);
    }
    while ((segment = segment_tree_next(broker, 0))) {
        unheard->count = 0;
        if (segment->state == SEGMENT_MAKING) {
            segment_end_making(broker, segment);
        }
        segment_drop(&step, segment);
    }
    learned_table_deinit(&broker->learned);
    party_table_deinit(&broker->parties);
    free(broker->coming_free);
    free(broker);
    return NULL;
}

/* ---- sessions ---- */

static uint64_t limit_or(uint64_t said, uint64_t otherwise)
{
    return said == LIMIT_UNSAID ? otherwise : said == 0 ? LIMIT_OFF : said;
}

/* The client's own limits: twice its heap unless it says otherwise, as the off-heap limit of a JVM's arrays. */
static struct byte_limits client_limits(const struct hello_request *hello)
{
    bool has_heap = hello->heap_bytes != LIMIT_UNSAID && hello->heap_bytes != 0;
    uint64_t from_heap = has_heap ? size_multiply_saturated(hello->heap_bytes, 2) : LIMIT_OFF;
    uint64_t max_bytes = limit_or(hello->max_bytes, from_heap);
    return (struct byte_limits){
        .max_bytes = max_bytes,
        .max_physical_bytes = limit_or(hello->max_physical_bytes, max_bytes),
        .max_mapped_bytes = LIMIT_OFF,
    };
}

void session_join(struct broker *broker, struct session *session, struct flow *flow)
{
    struct account *above[ACCOUNT_ABOVE_MAX];
    session->flow = flow;
    flow_accounts(&broker->parties, flow, above);
    account_move(&session->account, above);
    flow_count_session(flow, true);
}

/* Answers where there is no room. A user without a quota has the bound that all have. */
static bool has_room_for_session(struct step *step, const struct flow *flow, const struct input *input)
{
    uint32_t most = step->broker->options.settings.user_sessions_max;
    const struct party *full = flow_full_of_sessions(flow), *user = flow->user;
    if (full) {
        answer_error(step, input->peer, input->open.request_id, ERROR_TOO_MANY,
                     "%s has %llu sessions, as many as its max_sessions allows; end one first, or raise that",
                     full->whose, (unsigned long long)full->sessions);
        return false;
    }
    if (most && user->quota.max_sessions == LIMIT_OFF && user->sessions >= most) {
        answer_error(step, input->peer, input->open.request_id, ERROR_TOO_MANY,
                     "%s has %llu sessions, as many as [clients] max_sessions_per_user allows; end one first, raise "
                     "that, or give the user a max_sessions of its own",
                     user->whose, (unsigned long long)user->sessions);
        return false;
    }
    return true;
}

static void open_session(struct step *step, const struct input *input)
{
    struct broker *broker = step->broker;
    if (broker->shutting_down) {
        answer_error(step, input->peer, input->open.request_id, ERROR_SHUTTING_DOWN,
                     "the broker is shutting down; connect again later");
        return;
    }
    struct byte_limits limits = client_limits(&input->open.hello);
    struct flow *flow = flow_join(&broker->parties, &input->open.identity, input->open.hello.name);
    if (flow && !has_room_for_session(step, flow, input)) {
        flow_leave(&broker->parties, flow);
        return;
    }
    struct session *session =
        flow ? session_new(&broker->sessions, broker->next_session, &input->open.identity, &limits) : NULL;
    if (!session) {
        answer_error(step, input->peer, input->open.request_id, ERROR_SYSTEM,
                     "the broker is out of memory for its own tables");
        if (flow) {
            flow_leave(&broker->parties, flow);
        }
        return;
    }
    broker->next_session++;
    session_join(broker, session, flow);
    session->token = input->open.token;
    session->peer = input->peer;
    session_set_room(session, &input->open.room);
    for (size_t i = 0; i < sizeof session->name; i++) {
        session->name[i] = input->open.hello.name[i];
    }
    effect_push(step->effects, EFFECT_SESSION_OPENED)->session =
        (struct effect_session){input->peer, session->id, input->open.request_id};
}

/* What belongs to a session's connection goes with that: whoever comes back repeats what it still wants. */
static void leave_connection(struct step *step, struct session *session)
{
    queue_drop_session(step->broker, session);
    trim_answered(step->broker, session);
}

/* The time before the resumption does not count: the client could not renew. */
static void resume_session(struct step *step, struct session *session, uint64_t request_id)
{
    leave_connection(step, session); /* which another connection takes the place of, if it was there still */
    session_attach(&step->broker->sessions, session);
    session->renewed_at = step->now;
    effect_push(step->effects, EFFECT_SESSION_RESUMED)->session =
        (struct effect_session){session->peer, session->id, request_id};
}

static void disconnect_session(struct step *step, struct session *session)
{
    uint64_t grace = step->broker->options.settings.times.reconnect_grace_ms * NANOSECONDS_PER_MILLISECOND;
    if (session->state != SESSION_CONNECTED) {
        return;
    }
    if (!session->lease_count) { /* nothing to come back for, and each costs descriptors */
        session_over(step, session, END_DISCONNECTED);
        return;
    }
    session_detach(&step->broker->sessions, session, size_add_saturated(step->now, grace));
    leave_connection(step, session);
}

/* ---- the small requests ---- */

static struct lease *own_lease(const struct step *step, const struct session *session, uint64_t id)
{
    struct lease *lease = lease_table_find(&step->broker->leases, id);
    return lease && lease->session == session && lease->state == LEASE_ALIVE ? lease : NULL;
}

static void release(struct step *step, struct session *session, const struct request *request)
{
    struct lease *lease = own_lease(step, session, request->release_lease);
    if (lease) {
        lease_end(step, lease, END_RELEASED);
        answer(step, session->peer, request->id, REPLY_DONE);
        return;
    }
    enum end_reason reason = session_recall(session, request->release_lease);
    if (reason == END_NONE) {
        answer_error(step, session->peer, request->id, ERROR_NO_SUCH_LEASE,
                     "this session has no lease %llu; list your leases to see which it has",
                     (unsigned long long)request->release_lease);
    } else {
        answer_error(step, session->peer, request->id, ERROR_LEASE_ENDED, "lease %llu had ended before: %s",
                     (unsigned long long)request->release_lease, end_reason_words(reason));
    }
}

static void renew(struct step *step, struct session *session, const struct request *request)
{
    struct broker *broker = step->broker;
    size_t ended = 0;
    session->renewed_at = step->now;
    for (size_t i = 0; i < request->renew.use_count; i++) {
        const struct lease_use *use = &request->renew.use[i];
        struct lease *lease = own_lease(step, session, use->lease);
        if (lease) {
            session_note_use(session, lease, size_min(use->used_bytes, lease->bytes));
        } else if (ended < MESSAGE_ENDED_MAX) {
            broker->ended[ended++] = (struct lease_end){use->lease, session_recall(session, use->lease)};
        }
    }
    struct reply *reply = answer(step, session->peer, request->id, REPLY_RENEWED);
    if (reply) {
        reply->renewed = (struct renewed_reply){session->lease_count, broker->ended, ended};
    }
}

static bool is_administrator(const struct broker *broker, const struct identity *identity)
{
    return access_is_administrator(&broker->parties.policy->access, broker->options.daemon_uid, identity);
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
    } else if (by->uid != lease->session->identity.uid && !is_administrator(step->broker, by)) {
        answer_error(step, input->peer, request->id, ERROR_NOT_PERMITTED,
                     "lease %llu belongs to user %u and you are user %u; only its owner and administrators ([access] "
                     "admin_users, "
                     "admin_groups) may revoke it",
                     (unsigned long long)lease->id, lease->session->identity.uid, by->uid);
    } else {
        lease_end(step, lease, END_REVOKED);
        answer(step, input->peer, request->id, REPLY_DONE);
    }
}

static void bye(struct step *step, struct session *session, const struct request *request)
{
    answer(step, session->peer, request->id, REPLY_DONE);
    session_over(step, session, END_RELEASED);
}

static void session_request(struct step *step, struct session *session, const struct request *request)
{
    switch ((int)request->kind) {
    case REQUEST_ACQUIRE:
    case REQUEST_EXTEND:
        queue_request(step, session, request);
        break;
    case REQUEST_RELEASE:
        release(step, session, request);
        break;
    case REQUEST_RENEW:
        renew(step, session, request);
        break;
    case REQUEST_BYE:
        bye(step, session, request);
        break;
    case REQUEST_CANCEL:
        queue_cancel(step, session, request);
        break;
    case REQUEST_TRIMMED:
        trim_answered(step->broker, session);
        answer(step, session->peer, request->id, REPLY_DONE);
        break;
    default:
        answer_error(step, session->peer, request->id, ERROR_UNKNOWN_REQUEST, "this broker does not know that request");
    }
}

static void handle_request(struct step *step, const struct input *input, struct session *session)
{
    const struct request *request = input->request.request;
    if (request->kind == REQUEST_REVOKE) {
        revoke(step, input);
    } else if (session) {
        session_set_room(session, &input->request.room);
        session_request(step, session, request);
    } else {
        answer_error(step, input->peer, request->id, ERROR_MONITOR,
                     "this connection has no session and can hold no lease: it is a monitor's, or its session is over");
    }
}

/* ---- everything else ---- */

static void shut_down(struct step *step)
{
    struct broker *broker = step->broker;
    struct session *session;
    broker->shutting_down = true;
    while ((session = session_table_next(&broker->sessions, 0))) {
        session_over(step, session, END_SHUTDOWN);
    }
    effect_push(step->effects, EFFECT_BROADCAST)->reply.reply = (struct reply){.kind = EVENT_SHUTTING_DOWN};
}

static void handle_session(struct step *step, const struct input *input, struct session *session)
{
    switch ((int)input->kind) {
    case INPUT_RESUMED:
        resume_session(step, session, input->open.request_id);
        break;
    case INPUT_DISCONNECTED:
        disconnect_session(step, session);
        break;
    case INPUT_DIED:
        session_over(step, session, END_DIED);
        break;
    default:
        assert(input->kind == INPUT_READ);
        session->input_read_at = step->now;
        break;
    }
}

static void handle_pooled(struct step *step, const struct input *input, struct segment *segment)
{
    if (input->kind == INPUT_SEGMENT_MADE) {
        pool_made(step, segment, &input->segment);
    } else if (input->kind == INPUT_SEGMENT_FAILED) {
        pool_failed(step, segment);
    }
}

static void handle_segment(struct step *step, const struct input *input)
{
    struct segment *segment = segment_find(step->broker, input->segment.segment);
    if (!segment) {
        return;
    }
    if (input->kind == INPUT_SEGMENT_MADE || input->kind == INPUT_SEGMENT_FAILED) {
        segment_end_making(step->broker, segment);
    }
    if (!segment->lease && input->kind != INPUT_SEGMENT_FREED) {
        handle_pooled(step, input, segment);
        return;
    }
    switch ((int)input->kind) {
    case INPUT_SEGMENT_MADE:
        grant_made(step, segment, &input->segment);
        break;
    case INPUT_SEGMENT_FAILED:
        grant_failed(step, segment, &input->segment);
        break;
    case INPUT_SEGMENT_FREED:
        segment_freed(step, segment);
        break;
    default:
        assert(input->kind == INPUT_SEGMENT_TAMPERED);
        if (segment->state == SEGMENT_LIVE) {
            lease_end(step, segment->lease, END_TAMPERED);
        }
        break;
    }
}

static void see_host_memory(struct broker *broker, const struct input_host *host)
{
    broker->host_available_bytes = host->available_bytes;
    broker->host_total_bytes = host->total_bytes;
    broker->host_granted_since = 0;
    broker->host_epoch++;
    broker->retry_waiting = true;
}

/* The pool gives up what it has, as long as this lasts; clients decide for themselves. */
static void feel_pressure(struct step *step, enum pressure level)
{
    struct broker *broker = step->broker;
    if (level == broker->pressure) {
        return;
    }
    broker->pressure = level;
    broker->retry_waiting = true;
    struct reply *reply = &effect_push(step->effects, EFFECT_BROADCAST)->reply.reply;
    *reply = (struct reply){.kind = EVENT_PRESSURE};
    reply->pressure = level;
}

static void handle(struct step *step, const struct input *input)
{
    struct session *session = session_table_find(&step->broker->sessions, input->session);
    switch (input->kind) {
    case INPUT_OPEN_SESSION:
        open_session(step, input);
        break;
    case INPUT_REQUEST:
        handle_request(step, input, session);
        break;
    case INPUT_RESUMED:
    case INPUT_DISCONNECTED:
    case INPUT_DIED:
    case INPUT_READ:
        if (session) {
            handle_session(step, input, session);
        }
        break;
    case INPUT_SEGMENT_MADE:
    case INPUT_SEGMENT_FAILED:
    case INPUT_SEGMENT_FREED:
    case INPUT_SEGMENT_TAMPERED:
        handle_segment(step, input);
        break;
    case INPUT_HOST_MEMORY:
        see_host_memory(step->broker, &input->host);
        break;
    case INPUT_PRESSURE:
        feel_pressure(step, input->pressure);
        break;
    case INPUT_CONFIGURE:
        configure(step, &input->settings);
        break;
    case INPUT_TICK:
        judge_due(step);
        break;
    case INPUT_SHUTDOWN:
        shut_down(step);
        break;
    }
}

void broker_step(struct broker *broker, const struct input *input, uint64_t now, struct effect_list *effects)
{
    struct step step = {.broker = broker, .now = now, .effects = effects};
    effects->count = 0;
    handle(&step, input);
    ending_work(&step);
    queue_retry(&step, input->kind == INPUT_TICK);
    revoke_work(&step, input->kind == INPUT_TICK);
    pool_work(&step);
}
