/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers and events: the tables of their fields, and frames from them and back. An absent number reads as 0 and an
 * absent limit as LIMIT_OFF; decoded strings and lists point into the arena.
 */
#include <errno.h>
#include <string.h>

#include "membroker.pb-c.h"
#include "proto/codec.h"
#include "proto/codec_block.h"
#include "proto/codec_tables.h"
#include "proto/codec_text.h"

typedef Membroker__V1__DaemonMessage DaemonMessage;

_Static_assert((int)ERROR_CANCELLED == MEMBROKER__V1__ERROR_CODE__ERROR_CANCELLED, "the enums share numbers");
_Static_assert((int)CHARGE_CLIENT == MEMBROKER__V1__CHARGE__CHARGE_CLIENT, "the enums share numbers");
_Static_assert((int)CLASS_RULE_RESERVATION == MEMBROKER__V1__CLASS_RULE__CLASS_RULE_RESERVATION,
               "the enums share numbers");
_Static_assert((int)USAGE_RESERVATION == MEMBROKER__V1__USAGE_KIND__USAGE_KIND_RESERVATION, "the enums share numbers");
_Static_assert((int)EVENT_KIND_BLOCK_ENDED == MEMBROKER__V1__EVENT_KIND__EVENT_KIND_BLOCK_ENDED,
               "the enums share numbers");
_Static_assert((int)PRESSURE_FULL == MEMBROKER__V1__PRESSURE__PRESSURE_FULL, "the enums share numbers");
_Static_assert((int)LIMIT_KIND_USER_WATCHES == MEMBROKER__V1__LIMIT_KIND__LIMIT_KIND_USER_WATCHES,
               "the enums share numbers");
_Static_assert((int)END_TAMPERED == MEMBROKER__V1__END_REASON__END_TAMPERED, "the enums share numbers");

/* ---- what stands in several messages ---- */

CODEC_FIELDS(limits, struct byte_limits, Limits) = {
    NUMBER(limits, max_bytes, UNLESS(LIMIT_OFF)),
    NUMBER(limits, max_physical_bytes, UNLESS(LIMIT_OFF)),
    NUMBER(limits, max_mapped_bytes, UNLESS(LIMIT_OFF)),
};
CODEC_TABLE(limits, limits);

CODEC_FIELDS(holder, struct holder, Holder) = {
    NUMBER(holder, session),
    TEXT(holder, name),
    NUMBER(holder, pid),
    NUMBER(holder, uid),
    NUMBER(holder, bytes),
    NUMBER(holder, block, UNLESS(0)),
    NUMBER(holder, views, UNLESS(0)),
    NUMBER_AS(holder, has_ended, ended, UNLESS(0)),
};
CODEC_TABLE(holder, holder);

CODEC_FIELDS(refusal, struct refusal, Refusal) = {
    TEXT(refusal, limit),
    NUMBER(refusal, limit_kind),
    TEXT(refusal, whose),
    NUMBER(refusal, limit_bytes),
    NUMBER(refusal, asked_bytes),
    NUMBER(refusal, used_bytes),
    NUMBER(refusal, free_bytes),
    NUMBER(refusal, reserved_bytes),
    NUMBER(refusal, claimed_bytes),
    NUMBER(refusal, pool_bytes),
    ARRAY(refusal, holders, holder_count, holder),
    ARRAY(refusal, ahead, ahead_count, holder),
};

/* A newer broker may have a kind that is not known here, and an older one sends the name alone. */
static void complete_refusal(const void *message, void *refusal)
{
    const refusal_theirs *theirs = message;
    refusal_ours *ours = refusal;
    if (!theirs->has_limit_kind || ours->limit_kind >= LIMIT_KINDS) {
        ours->limit_kind = limit_kind_named(theirs->limit ? theirs->limit : "");
    }
}

CODEC_TABLE(refusal, refusal, .complete = complete_refusal);

/* ---- listings ---- */

#include "proto/codec_event.h"

CODEC_FIELDS(session, struct session_entry, SessionEntry) = {
    NUMBER(session, session),
    TEXT(session, name),
    NUMBER(session, pid),
    NUMBER(session, uid),
    NUMBER(session, gid),
    NUMBER(session, connected),
    NUMBER(session, leases),
    NUMBER(session, physical_bytes),
    NUMBER(session, mapped_bytes),
    MESSAGE(session, limits, limits),
    TEXT_AS(session, class, class_),
    NUMBER(session, priority),
    NUMBER(session, weight),
    NUMBER(session, charged_uid),
    NUMBER(session, class_rule),
    TEXT(session, class_pattern),
    NUMBER(session, held_ms, UNLESS(0)),
};

/* An older broker does not send it. */
static void complete_session(const void *message, void *entry)
{
    const session_theirs *theirs = message;
    session_ours *ours = entry;
    ours->charged_uid = theirs->has_charged_uid ? theirs->charged_uid : theirs->uid;
}

CODEC_TABLE(session, session_entry, .complete = complete_session);

static bool is_in_ram(const void *lease)
{
    return ((const struct lease_entry *)lease)->location == LOCATION_RAM;
}

CODEC_FIELDS(lease, struct lease_entry, LeaseEntry) = {
    NUMBER(lease, lease),
    NUMBER(lease, session),
    TEXT(lease, name),
    TEXT(lease, client),
    NUMBER(lease, pid),
    NUMBER(lease, uid),
    NUMBER(lease, bytes),
    NUMBER(lease, used_bytes),
    NUMBER(lease, location),
    NUMBER(lease, extents),
    NUMBER(lease, ttl_ms),
    NUMBER(lease, remaining_ms),
    NUMBER(lease, huge_pages),
    SIGNED_NUMBER(lease, numa_node),
    NUMBER(lease, prefaulted),
    NUMBER(lease, charge, IF(is_in_ram)),
    NUMBER(lease, interleaved, IF(is_in_ram)),
    TEXT_AS(lease, class, class_),
    NUMBER(lease, block, UNLESS(0)),
};
CODEC_TABLE(lease, lease_entry);

CODEC_FIELDS(queue, struct queue_entry, QueueEntry) = {
    NUMBER(queue, place),    NUMBER(queue, session),  TEXT(queue, name),        TEXT_AS(queue, class, class_),
    NUMBER(queue, pid),      NUMBER(queue, uid),      NUMBER(queue, request),   NUMBER(queue, bytes),
    NUMBER(queue, location), NUMBER(queue, priority), NUMBER(queue, waited_ms), NUMBER(queue, remaining_ms),
    TEXT(queue, limit),      TEXT(queue, whose),
};
CODEC_TABLE(queue, queue_entry);

CODEC_FIELDS(reservation, struct reservation_entry, ReservationEntry) = {
    NUMBER(reservation, reservation),
    TEXT(reservation, name),
    NUMBER(reservation, bytes),
    NUMBER(reservation, mapped_bytes),
    NUMBER(reservation, used_bytes),
    NUMBER(reservation, used_mapped_bytes),
    NUMBER(reservation, sessions),
    NUMBER(reservation, leases),
    NUMBER(reservation, uid, IF_FLAG(reservation, has_uid)),
    NUMBER(reservation, priority, IF_FLAG(reservation, has_priority)),
    NUMBER(reservation, weight, IF_FLAG(reservation, has_weight)),
    NUMBER_AS(reservation, is_over, over),
    NUMBER(reservation, remaining_ms, UNLESS(UINT64_MAX)),
    STRINGS(reservation, control_groups, control_group_count),
    NUMBER_AS(reservation, is_suspended, suspended),
    NUMBER(reservation, held_ms, UNLESS(0)),
};
CODEC_TABLE(reservation, reservation_entry);

CODEC_FIELDS(usage, struct usage_entry, UsageEntry) = {
    NUMBER(usage, number),
    NUMBER(usage, kind),
    TEXT(usage, name),
    NUMBER(usage, id, IF_FLAG(usage, has_id)),
    NUMBER(usage, bytes),
    NUMBER(usage, physical_bytes),
    NUMBER(usage, mapped_bytes),
    NUMBER(usage, freeing_bytes),
    MESSAGE(usage, limits, limits),
    NUMBER(usage, reserve_bytes),
    NUMBER(usage, sessions),
    NUMBER(usage, leases),
    NUMBER(usage, waiting),
    NUMBER(usage, waiting_bytes),
    NUMBER(usage, waiting_oldest_ms),
    NUMBER(usage, peak_bytes),
    NUMBER(usage, peak_physical_bytes),
    NUMBER(usage, peak_mapped_bytes),
    NUMBER(usage, weight),
};
CODEC_TABLE(usage, usage_entry);

CODEC_FIELDS(listing, struct listing_reply, Listing) = {
    LIST(listing, sessions, session_count, session), LIST(listing, leases, lease_count, lease),
    LIST(listing, queue, queue_count, queue),        LIST(listing, reservations, reservation_count, reservation),
    LIST(listing, usage, usage_count, usage),        LIST(listing, events, event_count, event),
    LIST(listing, samples, sample_count, sample),    NUMBER(listing, last, UNLESS(0)),
    LIST(listing, blocks, block_count, block),       NUMBER(listing, more),
    LIST(listing, boards, board_count, board),
};
CODEC_TABLE(listing, listing);

CODEC_FIELDS(explanation, struct why_entry, WhyEntry) = {
    NUMBER(explanation, session),
    TEXT(explanation, name),
    NUMBER(explanation, pid),
    NUMBER(explanation, uid),
    NUMBER(explanation, waits),
    NUMBER_AS(explanation, is_over, over),
    NUMBER(explanation, place),
    NUMBER(explanation, since_ms),
    NUMBER(explanation, location),
    NUMBER(explanation, either),
    MESSAGE(explanation, refusal, refusal),
    NUMBER(explanation, earliest_ms, UNLESS(UINT64_MAX)),
};
CODEC_TABLE(explanation, why_entry);

CODEC_FIELDS(why, struct why_reply, WhyReport) = {LIST(why, entries, count, explanation)};
CODEC_TABLE(why, why_report);

/* ---- answers ---- */

static bool has_refusal(const void *error)
{
    return ((const struct error_reply *)error)->refusal.limit[0];
}

CODEC_FIELDS(error, struct error_reply, Error) = {
    NUMBER(error, code),
    TEXT(error, sentence),
    NUMBER(error, system_errno, UNLESS(0)),
    NUMBER(error, ended, UNLESS(END_NONE)),
    NUMBER(error, comes_free, UNLESS(0)),
    MESSAGE(error, refusal, refusal, IF(has_refusal)),
};
CODEC_TABLE(error, error);

/* A monitor's connection has no session. */
static bool has_session(const void *welcome)
{
    return ((const struct welcome_reply *)welcome)->session;
}

static const char *check_welcome(const void *message)
{
    const Membroker__V1__Welcome *welcome = message;
    return welcome->has_token && welcome->token.len != MESSAGE_TOKEN_SIZE ? "token must have 16 bytes" : NULL;
}

CODEC_FIELDS(welcome, struct welcome_reply, Welcome) = {
    NUMBER(welcome, protocol),
    STRING(welcome, daemon_version),
    NUMBER(welcome, session, UNLESS(0)),
    TOKEN(welcome, token, token, IF(has_session)),
    NUMBER(welcome, resumed, IF(has_session)),
    NUMBER_AS(welcome, times.ttl_min_ms, ttl_min_ms),
    NUMBER_AS(welcome, times.ttl_max_ms, ttl_max_ms),
    NUMBER_AS(welcome, times.ttl_default_ms, ttl_default_ms),
    NUMBER_AS(welcome, times.reconnect_grace_ms, reconnect_grace_ms),
    MESSAGE(welcome, host_limits, limits),
    MESSAGE(welcome, client_limits, limits),
    NUMBER(welcome, message_bytes_max),
    NUMBER(welcome, control_bytes, IF(has_session)),
    NUMBER(welcome, leases_survive, IF(has_session)),
};
CODEC_TABLE(welcome, welcome, .check = check_welcome);

CODEC_FIELDS(grant, struct grant_reply, Grant) = {
    NUMBER(grant, lease),
    NUMBER(grant, segment),
    NUMBER(grant, bytes),
    NUMBER(grant, location),
    NUMBER(grant, ttl_ms),
    NUMBER(grant, slot),
    NUMBER(grant, generation),
    NUMBER(grant, huge_pages),
    NUMBER(grant, extents),
    NUMBER(grant, file_bytes, UNLESS(0)),
    NUMBER(grant, charge, UNLESS(CHARGE_UNSPECIFIED)),
    NUMBER_AS(grant, is_present, present, UNLESS(0)),
    NUMBER_AS(grant, is_remembered, remembered, UNLESS(0)),
    NUMBER(grant, prefault, UNLESS(0)),
};
CODEC_TABLE(grant, grant);

CODEC_FIELDS(lease_ended, struct lease_end, LeaseEndedEvent) = {
    NUMBER(lease_ended, lease),
    NUMBER(lease_ended, reason),
};
CODEC_TABLE(lease_ended, lease_ended_event);

CODEC_FIELDS(renewed, struct renewed_reply, Renewed) = {
    NUMBER(renewed, leases),
    LIST(renewed, ended, ended_count, lease_ended),
};
CODEC_TABLE(renewed, renewed);

CODEC_FIELDS(counters, struct broker_counters, Counters) = {
    NUMBER(counters, granted), NUMBER(counters, released), NUMBER(counters, expired),  NUMBER(counters, revoked),
    NUMBER(counters, died),    NUMBER(counters, refused),  NUMBER(counters, extended),
};
CODEC_TABLE(counters, counters);

CODEC_FIELDS(status, struct status_reply, StatusReport) = {
    STRING(status, daemon_version),
    NUMBER(status, pid),
    NUMBER(status, uptime_ms),
    MESSAGE(status, limits, limits),
    NUMBER(status, used_bytes),
    NUMBER(status, used_physical_bytes),
    NUMBER(status, used_mapped_bytes),
    NUMBER(status, freeing_bytes),
    NUMBER(status, freeing_physical_bytes),
    NUMBER(status, sessions),
    NUMBER(status, leases),
    NUMBER(status, segments),
    MESSAGE(status, counters, counters),
    MESSAGE(status, blocks, block_figures),
    MESSAGE(status, objects, object_figures),
    NUMBER(status, host_total_bytes),
    NUMBER(status, host_available_bytes),
    STRING(status, spill_directory),
    NUMBER(status, away_ms),
    NUMBER(status, pooled_bytes),
    NUMBER(status, pool_hits),
    NUMBER(status, pool_misses),
    NUMBER(status, waiting),
    NUMBER(status, reserved_bytes),
    NUMBER(status, pressure),
    NUMBER(status, remembered),
    STRING(status, configuration_error),
    STRING(status, warnings),
    NUMBER(status, control_bytes),
    NUMBER(status, cut_off),
    NUMBER(status, stuck_jobs),
    NUMBER(status, stuck_user),
    NUMBER(status, stuck_segment),
    NUMBER(status, stuck_bytes),
    NUMBER(status, stuck_ms),
    NUMBER(status, reservable_bytes, UNLESS(LIMIT_OFF)),
};
CODEC_TABLE(status, status_report);

CODEC_FIELDS(duration, struct duration_count, DurationCount) = {
    NUMBER(duration, upto_ns, UNLESS(UINT64_MAX)),
    NUMBER(duration, count),
};
CODEC_TABLE(duration, duration_count);

CODEC_FIELDS(durations, struct durations, Durations) = {
    LIST(durations, buckets, bucket_count, duration),
    NUMBER(durations, sum_ns),
};
CODEC_TABLE(durations, durations);

CODEC_FIELDS(limit_count, struct limit_count, LimitCount) = {
    NUMBER(limit_count, kind),
    NUMBER(limit_count, count),
};
CODEC_TABLE(limit_count, limit_count);

CODEC_FIELDS(metrics, struct metrics_reply, MetricsReport) = {NUMBER(metrics, started_unix_ms),
                                                              NUMBER(metrics, restarts),
                                                              NUMBER(metrics, audits),
                                                              NUMBER(metrics, audit_differences),
                                                              NUMBER(metrics, messages),
                                                              NUMBER(metrics, loop_stalls),
                                                              NUMBER(metrics, descriptors),
                                                              NUMBER(metrics, descriptors_max),
                                                              NUMBER(metrics, tampered),
                                                              NUMBER(metrics, waiting_bytes),
                                                              NUMBER(metrics, waiting_oldest_ms),
                                                              LIST(metrics, refusals, refusal_count, limit_count),
                                                              MESSAGE(metrics, acquire, durations),
                                                              MESSAGE(metrics, wait, durations),
                                                              MESSAGE(metrics, freeing, durations),
                                                              MESSAGE(metrics, turn, durations)};
CODEC_TABLE(metrics, metrics_report);

CODEC_FIELDS(audit, struct audit_reply, AuditReport) = {NUMBER(audit, segments),
                                                        NUMBER(audit, ledger_physical_bytes),
                                                        NUMBER(audit, ledger_mapped_bytes),
                                                        NUMBER(audit, kernel_physical_bytes),
                                                        NUMBER(audit, kernel_mapped_bytes),
                                                        NUMBER(audit, ledger_control_bytes),
                                                        NUMBER(audit, kernel_control_bytes),
                                                        NUMBER(audit, resident_physical_bytes),
                                                        NUMBER(audit, in_flight),
                                                        STRINGS(audit, differences, difference_count)};
CODEC_TABLE(audit, audit_report);

/* ---- events ---- */

CODEC_FIELDS(expiring, struct expiring_event, ExpiringEvent) = {
    NUMBER(expiring, lease),
    NUMBER(expiring, remaining_ms),
};
CODEC_TABLE(expiring, expiring_event);

CODEC_FIELDS(revoking, struct expiring_event, RevokingEvent) = {
    NUMBER(revoking, lease),
    NUMBER(revoking, remaining_ms),
};
CODEC_TABLE(revoking, revoking_event);

CODEC_FIELDS(limits_changed, struct limits_event, LimitsEvent) = {
    MESSAGE(limits_changed, host_limits, limits),
    NUMBER_AS(limits_changed, times.ttl_min_ms, ttl_min_ms),
    NUMBER_AS(limits_changed, times.ttl_max_ms, ttl_max_ms),
    NUMBER_AS(limits_changed, times.ttl_default_ms, ttl_default_ms),
    NUMBER_AS(limits_changed, times.reconnect_grace_ms, reconnect_grace_ms),
};
CODEC_TABLE(limits_changed, limits_event);

CODEC_FIELDS(trim, struct trim_event, TrimEvent) = {
    NUMBER(trim, wanted_bytes),
    NUMBER(trim, location),
    NUMBER(trim, deadline_ms),
};
CODEC_TABLE(trim, trim_event);

CODEC_FIELDS(control_page, struct control_page_event, ControlPageEvent) = {
    NUMBER(control_page, bytes),
    NUMBER(control_page, first_slot),
    NUMBER(control_page, slots),
};
CODEC_TABLE(control_page, control_page_event);

CODEC_SINGLE(pressure, struct reply, PressureEvent, pressure_event, pressure, level);
CODEC_SINGLE(spared, struct reply, SparedEvent, spared_event, spared_lease, lease);

CODEC_EMPTY(done, done);
CODEC_EMPTY(pong, pong);
CODEC_EMPTY(shutting_down, shutdown_event);

/* ---- the kinds of answers and events ---- */

#define BODY(CASE, t)      CODEC_BODY(MEMBROKER__V1__DAEMON_MESSAGE__BODY_##CASE, struct reply, t, t)
#define BARE_BODY(CASE, t) CODEC_BARE_BODY(MEMBROKER__V1__DAEMON_MESSAGE__BODY_##CASE, t)

const struct codec_body codec_reply_bodies[REPLY_KINDS] = {
    [REPLY_ERROR] = BODY(ERROR, error),
    [REPLY_WELCOME] = BODY(WELCOME, welcome),
    [REPLY_GRANT] = BODY(GRANT, grant),
    [REPLY_DONE] = BARE_BODY(DONE, done),
    [REPLY_RENEWED] = BODY(RENEWED, renewed),
    [REPLY_STATUS] = BODY(STATUS, status),
    [REPLY_LISTING] = BODY(LISTING, listing),
    [REPLY_PONG] = BARE_BODY(PONG, pong),
    [REPLY_AUDIT] = BODY(AUDIT, audit),
    [REPLY_WHY] = BODY(WHY, why),
    [REPLY_METRICS] = BODY(METRICS, metrics),
    [REPLY_ATTACHED] = BODY(ATTACHED, attached),
    [REPLY_GOT] = BODY(GOT, got),
    [REPLY_BOARD_PART] = BODY(BOARD_PART, board_part),
    [REPLY_BLOCK_CHANGES] = BODY(BLOCK_CHANGES, block_changes),
    [EVENT_EXPIRING] = BODY(EXPIRING, expiring),
    [EVENT_LEASE_ENDED] = BODY(LEASE_ENDED, lease_ended),
    [EVENT_LIMITS_CHANGED] = BODY(LIMITS_CHANGED, limits_changed),
    [EVENT_TRIM] = BODY(TRIM, trim),
    [EVENT_SHUTTING_DOWN] = BARE_BODY(SHUTTING_DOWN, shutting_down),
    [EVENT_PRESSURE] = BARE_BODY(PRESSURE, pressure),
    [EVENT_REVOKING] = BODY(REVOKING, revoking),
    [EVENT_CONTROL_PAGE] = BODY(CONTROL_PAGE, control_page),
    [EVENT_SPARED] = BARE_BODY(SPARED, spared),
};
_Static_assert(REPLY_KINDS == 25, "a new kind needs a line above");

int codec_encode_reply(const struct reply *reply, struct codec_arena *arena, uint8_t frame[FRAME_BYTES_MAX])
{
    DaemonMessage message = MEMBROKER__V1__DAEMON_MESSAGE__INIT;
    const struct codec_body *body = &codec_reply_bodies[reply->kind];
    codec_arena_empty(arena);
    message.has_reply_to = reply->is_answer;
    message.reply_to = reply->reply_to;
    message.has_descriptors = reply->descriptors != 0;
    message.descriptors = reply->descriptors;
    message.body_case = (Membroker__V1__DaemonMessage__BodyCase)body->number;
    message.error = codec_encode_body(body, reply, arena); /* or another member of the union */
    return message.error || !body->table ? codec_pack(&message.base, codec_is_short(body), frame) : -EMSGSIZE;
}

int codec_decode_reply(const uint8_t *payload, size_t bytes, struct codec_arena *arena, struct reply *ret)
{
    codec_arena_empty(arena);
    ProtobufCAllocator allocator = codec_arena_allocator(arena);
    DaemonMessage *message = membroker__v1__daemon_message__unpack(&allocator, bytes, payload);
    if (!message || codec_text_has_nul(&membroker__v1__daemon_message__descriptor, payload, bytes)) {
        return -EBADMSG;
    }
    size_t kind = codec_find_body(codec_reply_bodies, REPLY_KINDS, message->body_case);
    const struct codec_body *body = &codec_reply_bodies[kind];
    /* The union is large: only this kind's part of it is cleared. */
    memset(ret, 0, offsetof(struct reply, error) + (body->table ? body->table->ours_bytes : 0));
    ret->is_answer = message->has_reply_to;
    ret->reply_to = message->reply_to;
    ret->descriptors = message->descriptors;
    ret->kind = (enum reply_kind)kind;
    return codec_decode_body(body, message->error, arena, ret) ? -EBADMSG : 0;
}
