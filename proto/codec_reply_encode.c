/* SPDX-License-Identifier: Apache-2.0 */
/* Answers and events to frames: the daemon's direction. */
#include <errno.h>
#include <string.h>

#include "membroker.pb-c.h"
#include "proto/codec_arena.h"
#include "proto/codec_reply.h"

typedef Membroker__V1__DaemonMessage DaemonMessage;

_Static_assert((int)ERROR_CANCELLED == MEMBROKER__V1__ERROR_CODE__ERROR_CANCELLED, "the enums share numbers");
_Static_assert((int)END_TAMPERED == MEMBROKER__V1__END_REASON__END_TAMPERED, "the enums share numbers");
_Static_assert((int)CHARGE_CLIENT == MEMBROKER__V1__CHARGE__CHARGE_CLIENT, "the enums share numbers");
_Static_assert((int)PRESSURE_FULL == MEMBROKER__V1__PRESSURE__PRESSURE_FULL, "the enums share numbers");
_Static_assert(REPLY_KINDS == 20, "a new reply needs its codec");

static void set_unless_off(uint64_t value, protobuf_c_boolean *has, uint64_t *field)
{
    if (value != LIMIT_OFF) {
        *has = 1;
        *field = value;
    }
}

static bool new_limits(const struct byte_limits *from, struct codec_arena *arena, Membroker__V1__Limits **ret)
{
    NEW(Limits, limits, to);
    set_unless_off(from->max_bytes, &to->has_max_bytes, &to->max_bytes);
    set_unless_off(from->max_physical_bytes, &to->has_max_physical_bytes, &to->max_physical_bytes);
    set_unless_off(from->max_mapped_bytes, &to->has_max_mapped_bytes, &to->max_mapped_bytes);
    *ret = to;
    return true;
}

static bool encode_error(const struct error_reply *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(Error, error, to);
    CODEC_SET(to, code, (Membroker__V1__ErrorCode)from->code);
    to->sentence = codec_text(from->sentence);
    if (from->system_errno) {
        CODEC_SET(to, system_errno, from->system_errno);
    }
    if (from->refusal.limit[0] && !codec_new_refusal(&from->refusal, arena, &to->refusal)) {
        return false;
    }
    SET_BODY(message, ERROR, error, to);
    return true;
}

static bool encode_welcome(const struct welcome_reply *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(Welcome, welcome, to);
    CODEC_SET(to, protocol, from->protocol);
    to->daemon_version = codec_text(from->daemon_version);
    if (from->session) {
        uint8_t *token = codec_arena_allocate(arena, 1, MESSAGE_TOKEN_SIZE);
        if (!token) {
            return false;
        }
        memcpy(token, from->token.bytes, MESSAGE_TOKEN_SIZE);
        CODEC_SET(to, session, from->session);
        CODEC_SET(to, token, ((ProtobufCBinaryData){MESSAGE_TOKEN_SIZE, token}));
        CODEC_SET(to, resumed, from->resumed);
        CODEC_SET(to, control_bytes, from->control_bytes);
        CODEC_SET(to, leases_survive, from->leases_survive);
    }
    CODEC_SET(to, ttl_min_ms, from->times.ttl_min_ms);
    CODEC_SET(to, ttl_max_ms, from->times.ttl_max_ms);
    CODEC_SET(to, ttl_default_ms, from->times.ttl_default_ms);
    CODEC_SET(to, reconnect_grace_ms, from->times.reconnect_grace_ms);
    CODEC_SET(to, message_bytes_max, from->message_bytes_max);
    SET_BODY(message, WELCOME, welcome, to);
    return new_limits(&from->host_limits, arena, &to->host_limits) &&
           new_limits(&from->client_limits, arena, &to->client_limits);
}

static bool encode_grant(const struct grant_reply *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(Grant, grant, to);
    CODEC_SET(to, lease, from->lease);
    CODEC_SET(to, segment, from->segment);
    CODEC_SET(to, bytes, from->bytes);
    CODEC_SET(to, location, (Membroker__V1__Location)from->location);
    CODEC_SET(to, ttl_ms, from->ttl_ms);
    CODEC_SET(to, slot, from->slot);
    CODEC_SET(to, generation, from->generation);
    CODEC_SET(to, huge_pages, from->huge_pages);
    CODEC_SET(to, extents, from->extents);
    if (from->file_bytes) {
        CODEC_SET(to, file_bytes, from->file_bytes);
    }
    if (from->charge != CHARGE_UNSPECIFIED) {
        CODEC_SET(to, charge, (Membroker__V1__Charge)from->charge);
    }
    if (from->is_present) {
        CODEC_SET(to, present, 1);
    }
    if (from->is_remembered) {
        CODEC_SET(to, remembered, 1);
    }
    if (from->prefault) {
        CODEC_SET(to, prefault, 1);
    }
    SET_BODY(message, GRANT, grant, to);
    return true;
}

static bool new_lease_ended(const struct lease_end *from, struct codec_arena *arena,
                            Membroker__V1__LeaseEndedEvent **ret)
{
    NEW(LeaseEndedEvent, lease_ended_event, to);
    CODEC_SET(to, lease, from->lease);
    CODEC_SET(to, reason, (Membroker__V1__EndReason)from->reason);
    *ret = to;
    return true;
}

static bool encode_renewed(const struct renewed_reply *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(Renewed, renewed, to);
    CODEC_SET(to, leases, from->leases);
    to->ended = codec_arena_allocate(arena, from->ended_count, sizeof *to->ended);
    if (!to->ended) {
        return false;
    }
    for (; to->n_ended < from->ended_count; to->n_ended++) {
        if (!new_lease_ended(&from->ended[to->n_ended], arena, &to->ended[to->n_ended])) {
            return false;
        }
    }
    SET_BODY(message, RENEWED, renewed, to);
    return true;
}

static bool new_counters(const struct broker_counters *from, struct codec_arena *arena, Membroker__V1__Counters **ret)
{
    NEW(Counters, counters, to);
    CODEC_SET(to, granted, from->granted);
    CODEC_SET(to, released, from->released);
    CODEC_SET(to, expired, from->expired);
    CODEC_SET(to, revoked, from->revoked);
    CODEC_SET(to, died, from->died);
    CODEC_SET(to, refused, from->refused);
    CODEC_SET(to, extended, from->extended);
    *ret = to;
    return true;
}

static bool encode_status(const struct status_reply *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(StatusReport, status_report, to);
    to->daemon_version = codec_text(from->daemon_version);
    CODEC_SET(to, pid, from->pid);
    CODEC_SET(to, uptime_ms, from->uptime_ms);
    CODEC_SET(to, used_bytes, from->used_bytes);
    CODEC_SET(to, used_physical_bytes, from->used_physical_bytes);
    CODEC_SET(to, used_mapped_bytes, from->used_mapped_bytes);
    CODEC_SET(to, freeing_bytes, from->freeing_bytes);
    CODEC_SET(to, sessions, from->sessions);
    CODEC_SET(to, leases, from->leases);
    CODEC_SET(to, segments, from->segments);
    CODEC_SET(to, host_total_bytes, from->host_total_bytes);
    CODEC_SET(to, host_available_bytes, from->host_available_bytes);
    to->spill_directory = codec_text(from->spill_directory);
    CODEC_SET(to, away_ms, from->away_ms);
    CODEC_SET(to, pooled_bytes, from->pooled_bytes);
    CODEC_SET(to, pool_hits, from->pool_hits);
    CODEC_SET(to, pool_misses, from->pool_misses);
    CODEC_SET(to, waiting, from->waiting);
    CODEC_SET(to, reserved_bytes, from->reserved_bytes);
    CODEC_SET(to, pressure, (Membroker__V1__Pressure)from->pressure);
    CODEC_SET(to, remembered, from->remembered);
    to->configuration_error = codec_text(from->configuration_error);
    to->warnings = codec_text(from->warnings);
    CODEC_SET(to, control_bytes, from->control_bytes);
    CODEC_SET(to, stuck_jobs, from->stuck_jobs);
    CODEC_SET(to, stuck_user, from->stuck_user);
    CODEC_SET(to, stuck_segment, from->stuck_segment);
    CODEC_SET(to, stuck_bytes, from->stuck_bytes);
    CODEC_SET(to, stuck_ms, from->stuck_ms);
    CODEC_SET(to, cut_off, from->cut_off);
    SET_BODY(message, STATUS, status, to);
    return new_limits(&from->limits, arena, &to->limits) && new_counters(&from->counters, arena, &to->counters);
}

static bool new_session_entry(const struct session_entry *from, struct codec_arena *arena,
                              Membroker__V1__SessionEntry **ret)
{
    NEW(SessionEntry, session_entry, to);
    CODEC_SET(to, session, from->session);
    to->name = codec_text(from->name);
    CODEC_SET(to, pid, from->pid);
    CODEC_SET(to, uid, from->uid);
    CODEC_SET(to, gid, from->gid);
    CODEC_SET(to, connected, from->connected);
    CODEC_SET(to, leases, from->leases);
    CODEC_SET(to, physical_bytes, from->physical_bytes);
    CODEC_SET(to, mapped_bytes, from->mapped_bytes);
    to->class_ = codec_text(from->class);
    CODEC_SET(to, priority, from->priority);
    CODEC_SET(to, weight, from->weight);
    CODEC_SET(to, charged_uid, from->charged_uid);
    *ret = to;
    return new_limits(&from->limits, arena, &to->limits);
}

static bool new_lease_entry(const struct lease_entry *from, struct codec_arena *arena, Membroker__V1__LeaseEntry **ret)
{
    NEW(LeaseEntry, lease_entry, to);
    CODEC_SET(to, lease, from->lease);
    CODEC_SET(to, session, from->session);
    to->name = codec_text(from->name);
    to->client = codec_text(from->client);
    CODEC_SET(to, pid, from->pid);
    CODEC_SET(to, uid, from->uid);
    CODEC_SET(to, bytes, from->bytes);
    CODEC_SET(to, used_bytes, from->used_bytes);
    CODEC_SET(to, location, (Membroker__V1__Location)from->location);
    CODEC_SET(to, extents, from->extents);
    CODEC_SET(to, ttl_ms, from->ttl_ms);
    CODEC_SET(to, remaining_ms, from->remaining_ms);
    CODEC_SET(to, huge_pages, from->huge_pages);
    if (from->numa_node >= 0) {
        CODEC_SET(to, numa_node, (uint32_t)from->numa_node);
    }
    CODEC_SET(to, prefaulted, from->prefaulted);
    if (from->location == LOCATION_RAM) {
        CODEC_SET(to, charge, (Membroker__V1__Charge)from->charge);
        CODEC_SET(to, interleaved, from->interleaved);
    }
    *ret = to;
    return true;
}

static bool encode_listing(const struct listing_reply *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(Listing, listing, to);
    to->sessions = codec_arena_allocate(arena, from->session_count, sizeof *to->sessions);
    to->leases = codec_arena_allocate(arena, from->lease_count, sizeof *to->leases);
    if (!to->sessions || !to->leases) {
        return false;
    }
    for (; to->n_sessions < from->session_count; to->n_sessions++) {
        if (!new_session_entry(&from->sessions[to->n_sessions], arena, &to->sessions[to->n_sessions])) {
            return false;
        }
    }
    for (; to->n_leases < from->lease_count; to->n_leases++) {
        if (!new_lease_entry(&from->leases[to->n_leases], arena, &to->leases[to->n_leases])) {
            return false;
        }
    }
    CODEC_SET(to, more, from->more);
    if (!codec_encode_queue(from, arena, to)) {
        return false;
    }
    SET_BODY(message, LISTING, listing, to);
    return true;
}

/* An empty entry of a list is one, unlike an empty field. */
static char *entry_text(const char *text)
{
    static char empty[1];
    return *text ? codec_text(text) : empty;
}

static bool encode_audit(const struct audit_reply *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(AuditReport, audit_report, to);
    CODEC_SET(to, segments, from->segments);
    CODEC_SET(to, ledger_physical_bytes, from->ledger_physical_bytes);
    CODEC_SET(to, ledger_mapped_bytes, from->ledger_mapped_bytes);
    CODEC_SET(to, kernel_physical_bytes, from->kernel_physical_bytes);
    CODEC_SET(to, kernel_mapped_bytes, from->kernel_mapped_bytes);
    CODEC_SET(to, ledger_control_bytes, from->ledger_control_bytes);
    CODEC_SET(to, kernel_control_bytes, from->kernel_control_bytes);
    CODEC_SET(to, resident_physical_bytes, from->resident_physical_bytes);
    CODEC_SET(to, in_flight, from->in_flight);
    to->differences = codec_arena_allocate(arena, from->difference_count, sizeof *to->differences);
    if (!to->differences) {
        return false;
    }
    for (; to->n_differences < from->difference_count; to->n_differences++) {
        to->differences[to->n_differences] = entry_text(from->differences[to->n_differences]);
    }
    SET_BODY(message, AUDIT, audit, to);
    return true;
}

static bool encode_expiring(const struct expiring_event *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(ExpiringEvent, expiring_event, to);
    CODEC_SET(to, lease, from->lease);
    CODEC_SET(to, remaining_ms, from->remaining_ms);
    SET_BODY(message, EXPIRING, expiring, to);
    return true;
}

static bool encode_lease_ended(const struct lease_end *from, struct codec_arena *arena, DaemonMessage *message)
{
    Membroker__V1__LeaseEndedEvent *to;
    if (!new_lease_ended(from, arena, &to)) {
        return false;
    }
    SET_BODY(message, LEASE_ENDED, lease_ended, to);
    return true;
}

static bool encode_limits_changed(const struct limits_event *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(LimitsEvent, limits_event, to);
    CODEC_SET(to, ttl_min_ms, from->times.ttl_min_ms);
    CODEC_SET(to, ttl_max_ms, from->times.ttl_max_ms);
    CODEC_SET(to, ttl_default_ms, from->times.ttl_default_ms);
    CODEC_SET(to, reconnect_grace_ms, from->times.reconnect_grace_ms);
    SET_BODY(message, LIMITS_CHANGED, limits_changed, to);
    return new_limits(&from->host_limits, arena, &to->host_limits);
}

static bool encode_trim(const struct trim_event *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(TrimEvent, trim_event, to);
    CODEC_SET(to, wanted_bytes, from->wanted_bytes);
    CODEC_SET(to, location, (Membroker__V1__Location)from->location);
    CODEC_SET(to, deadline_ms, from->deadline_ms);
    SET_BODY(message, TRIM, trim, to);
    return true;
}

static bool encode_pressure(enum pressure level, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(PressureEvent, pressure_event, to);
    CODEC_SET(to, level, (Membroker__V1__Pressure)level);
    SET_BODY(message, PRESSURE, pressure, to);
    return true;
}

static bool encode_revoking(const struct expiring_event *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(RevokingEvent, revoking_event, to);
    CODEC_SET(to, lease, from->lease);
    CODEC_SET(to, remaining_ms, from->remaining_ms);
    SET_BODY(message, REVOKING, revoking, to);
    return true;
}

static bool encode_control_page(const struct control_page_event *from, struct codec_arena *arena,
                                DaemonMessage *message)
{
    NEW(ControlPageEvent, control_page_event, to);
    CODEC_SET(to, bytes, from->bytes);
    CODEC_SET(to, first_slot, from->first_slot);
    CODEC_SET(to, slots, from->slots);
    SET_BODY(message, CONTROL_PAGE, control_page, to);
    return true;
}

static bool encode_spared(uint64_t lease, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(SparedEvent, spared_event, to);
    CODEC_SET(to, lease, lease);
    SET_BODY(message, SPARED, spared, to);
    return true;
}

static bool encode_why(const struct why_reply *from, struct codec_arena *arena, DaemonMessage *message)
{
    NEW(WhyReport, why_report, to);
    SET_BODY(message, WHY, why, to);
    return codec_encode_why(from, arena, to);
}

static bool encode_empty(enum reply_kind kind, DaemonMessage *message)
{
    static Membroker__V1__Done done = MEMBROKER__V1__DONE__INIT;
    static Membroker__V1__Pong pong = MEMBROKER__V1__PONG__INIT;
    static Membroker__V1__ShutdownEvent shutdown = MEMBROKER__V1__SHUTDOWN_EVENT__INIT;

    if (kind == REPLY_DONE) {
        SET_BODY(message, DONE, done, &done);
    } else if (kind == REPLY_PONG) {
        SET_BODY(message, PONG, pong, &pong);
    } else if (kind == EVENT_SHUTTING_DOWN) {
        SET_BODY(message, SHUTTING_DOWN, shutting_down, &shutdown);
    }
    return true;
}

static bool encode_body(const struct reply *reply, struct codec_arena *arena, DaemonMessage *message)
{
    switch (reply->kind) {
    case REPLY_ERROR:
        return encode_error(&reply->error, arena, message);
    case REPLY_WELCOME:
        return encode_welcome(&reply->welcome, arena, message);
    case REPLY_GRANT:
        return encode_grant(&reply->grant, arena, message);
    case REPLY_RENEWED:
        return encode_renewed(&reply->renewed, arena, message);
    case REPLY_STATUS:
        return encode_status(&reply->status, arena, message);
    case REPLY_LISTING:
        return encode_listing(&reply->listing, arena, message);
    case REPLY_AUDIT:
        return encode_audit(&reply->audit, arena, message);
    case EVENT_EXPIRING:
        return encode_expiring(&reply->expiring, arena, message);
    case EVENT_LEASE_ENDED:
        return encode_lease_ended(&reply->lease_ended, arena, message);
    case EVENT_LIMITS_CHANGED:
        return encode_limits_changed(&reply->limits_changed, arena, message);
    case EVENT_TRIM:
        return encode_trim(&reply->trim, arena, message);
    case EVENT_PRESSURE:
        return encode_pressure(reply->pressure, arena, message);
    case EVENT_REVOKING:
        return encode_revoking(&reply->revoking, arena, message);
    case EVENT_CONTROL_PAGE:
        return encode_control_page(&reply->control_page, arena, message);
    case EVENT_SPARED:
        return encode_spared(reply->spared_lease, arena, message);
    case REPLY_WHY:
        return encode_why(&reply->why, arena, message);
    case REPLY_DONE:
    case REPLY_PONG:
    case EVENT_SHUTTING_DOWN:
    case REPLY_UNKNOWN:
    case REPLY_KINDS:
        break;
    }
    return encode_empty(reply->kind, message);
}

int codec_encode_reply(const struct reply *reply, struct codec_arena *arena, uint8_t frame[FRAME_BYTES_MAX])
{
    DaemonMessage message = MEMBROKER__V1__DAEMON_MESSAGE__INIT;
    arena->used = 0;
    if (reply->is_answer) {
        CODEC_SET(&message, reply_to, reply->reply_to);
    }
    if (reply->descriptors) {
        CODEC_SET(&message, descriptors, reply->descriptors);
    }
    return encode_body(reply, arena, &message) ? codec_pack(&message.base, frame) : -EMSGSIZE;
}
