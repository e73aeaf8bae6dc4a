/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames to answers and events: the client's direction. A field that is absent reads as zero, a limit
 * that is absent as LIMIT_OFF; strings and arrays point into the arena.
 */
#include <errno.h>
#include <string.h>

#include "membroker.pb-c.h"
#include "proto/codec_arena.h"
#include "proto/codec_reply.h"
#include "proto/codec_text.h"

typedef Membroker__V1__DaemonMessage DaemonMessage;

static struct byte_limits limits_of(const Membroker__V1__Limits *from)
{
    struct byte_limits off = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    if (!from) {
        return off;
    }
    return (struct byte_limits){
        .max_bytes = from->has_max_bytes ? from->max_bytes : LIMIT_OFF,
        .max_physical_bytes = from->has_max_physical_bytes ? from->max_physical_bytes : LIMIT_OFF,
        .max_mapped_bytes = from->has_max_mapped_bytes ? from->max_mapped_bytes : LIMIT_OFF,
    };
}

static bool decode_error(const Membroker__V1__Error *from, struct error_reply *to)
{
    to->code = (enum error_code)from->code;
    to->system_errno = from->system_errno;
    text_copy(to->sentence, sizeof to->sentence, from->sentence);
    if (from->refusal) {
        codec_read_refusal(from->refusal, &to->refusal);
    }
    return true;
}

static bool decode_welcome(const Membroker__V1__Welcome *from, struct welcome_reply *to)
{
    to->protocol = from->protocol;
    to->daemon_version = from->daemon_version ? from->daemon_version : "";
    to->session = from->session;
    to->resumed = from->resumed;
    to->times =
        (struct lease_times){from->ttl_min_ms, from->ttl_max_ms, from->ttl_default_ms, from->reconnect_grace_ms};
    to->host_limits = limits_of(from->host_limits);
    to->client_limits = limits_of(from->client_limits);
    to->message_bytes_max = from->message_bytes_max;
    to->control_bytes = from->control_bytes;
    to->leases_survive = from->leases_survive;
    if (from->has_token) {
        if (from->token.len != MESSAGE_TOKEN_SIZE) {
            return false;
        }
        memcpy(to->token.bytes, from->token.data, MESSAGE_TOKEN_SIZE);
    }
    return true;
}

static bool decode_grant(const Membroker__V1__Grant *from, struct grant_reply *to)
{
    *to = (struct grant_reply){
        .lease = from->lease,
        .segment = from->segment,
        .bytes = from->bytes,
        .location = (enum location)from->location,
        .ttl_ms = from->ttl_ms,
        .slot = from->slot,
        .generation = from->generation,
        .huge_pages = from->huge_pages,
        .extents = from->extents,
        .file_bytes = from->file_bytes,
        .charge = (enum charged_to)from->charge,
        .is_present = from->present,
        .is_remembered = from->remembered,
        .prefault = from->prefault,
    };
    return true;
}

static struct lease_end lease_end_of(const Membroker__V1__LeaseEndedEvent *from)
{
    return (struct lease_end){.lease = from->lease, .reason = (enum end_reason)from->reason};
}

static bool decode_renewed(const Membroker__V1__Renewed *from, struct codec_arena *arena, struct renewed_reply *to)
{
    struct lease_end *ended = codec_arena_allocate(arena, from->n_ended, sizeof *ended);
    if (!ended) {
        return false;
    }
    for (size_t i = 0; i < from->n_ended; i++) {
        ended[i] = lease_end_of(from->ended[i]);
    }
    *to = (struct renewed_reply){.leases = from->leases, .ended = ended, .ended_count = from->n_ended};
    return true;
}

static bool decode_status(const Membroker__V1__StatusReport *from, struct status_reply *to)
{
    *to = (struct status_reply){
        .daemon_version = from->daemon_version ? from->daemon_version : "",
        .pid = from->pid,
        .uptime_ms = from->uptime_ms,
        .limits = limits_of(from->limits),
        .used_bytes = from->used_bytes,
        .used_physical_bytes = from->used_physical_bytes,
        .used_mapped_bytes = from->used_mapped_bytes,
        .freeing_bytes = from->freeing_bytes,
        .sessions = from->sessions,
        .leases = from->leases,
        .segments = from->segments,
        .host_total_bytes = from->host_total_bytes,
        .host_available_bytes = from->host_available_bytes,
        .spill_directory = from->spill_directory ? from->spill_directory : "",
        .away_ms = from->away_ms,
        .pooled_bytes = from->pooled_bytes,
        .pool_hits = from->pool_hits,
        .pool_misses = from->pool_misses,
        .waiting = from->waiting,
        .reserved_bytes = from->reserved_bytes,
        .pressure = (enum pressure)from->pressure,
        .remembered = from->remembered,
        .configuration_error = from->configuration_error ? from->configuration_error : "",
        .warnings = from->warnings ? from->warnings : "",
        .control_bytes = from->control_bytes,
        .stuck_jobs = from->stuck_jobs,
        .stuck_user = from->stuck_user,
        .stuck_segment = from->stuck_segment,
        .stuck_bytes = from->stuck_bytes,
        .stuck_ms = from->stuck_ms,
        .cut_off = from->cut_off,
    };
    const Membroker__V1__Counters *counters = from->counters;
    if (counters) {
        to->counters = (struct broker_counters){
            .granted = counters->granted,
            .released = counters->released,
            .expired = counters->expired,
            .revoked = counters->revoked,
            .died = counters->died,
            .refused = counters->refused,
            .extended = counters->extended,
        };
    }
    return true;
}

static void decode_session_entry(const Membroker__V1__SessionEntry *from, struct session_entry *to)
{
    *to = (struct session_entry){
        .session = from->session,
        .pid = from->pid,
        .uid = from->uid,
        .gid = from->gid,
        .connected = from->connected,
        .leases = from->leases,
        .physical_bytes = from->physical_bytes,
        .mapped_bytes = from->mapped_bytes,
        .limits = limits_of(from->limits),
        .priority = from->priority,
        .weight = from->weight,
        .charged_uid = from->has_charged_uid ? from->charged_uid : from->uid,
    };
    text_copy(to->class, sizeof to->class, from->class_);
    text_copy(to->name, sizeof to->name, from->name);
}

static void decode_lease_entry(const Membroker__V1__LeaseEntry *from, struct lease_entry *to)
{
    *to = (struct lease_entry){
        .lease = from->lease,
        .session = from->session,
        .pid = from->pid,
        .uid = from->uid,
        .bytes = from->bytes,
        .used_bytes = from->used_bytes,
        .location = (enum location)from->location,
        .extents = from->extents,
        .ttl_ms = from->ttl_ms,
        .remaining_ms = from->remaining_ms,
        .huge_pages = from->huge_pages,
        .numa_node = from->has_numa_node ? (int32_t)from->numa_node : -1,
        .prefaulted = from->prefaulted,
        .charge = (enum charged_to)from->charge,
        .interleaved = from->interleaved,
    };
    text_copy(to->name, sizeof to->name, from->name);
    text_copy(to->client, sizeof to->client, from->client);
}

static bool decode_listing(const Membroker__V1__Listing *from, struct codec_arena *arena, struct listing_reply *to)
{
    struct session_entry *sessions = codec_arena_allocate(arena, from->n_sessions, sizeof *sessions);
    struct lease_entry *leases = codec_arena_allocate(arena, from->n_leases, sizeof *leases);
    if (!sessions || !leases) {
        return false;
    }
    for (size_t i = 0; i < from->n_sessions; i++) {
        decode_session_entry(from->sessions[i], &sessions[i]);
    }
    for (size_t i = 0; i < from->n_leases; i++) {
        decode_lease_entry(from->leases[i], &leases[i]);
    }
    *to = (struct listing_reply){.sessions = sessions,
                                 .session_count = from->n_sessions,
                                 .leases = leases,
                                 .lease_count = from->n_leases,
                                 .more = from->more};
    return codec_decode_queue(from, arena, to);
}

static bool decode_audit(const Membroker__V1__AuditReport *from, struct audit_reply *to)
{
    *to = (struct audit_reply){
        .segments = from->segments,
        .ledger_physical_bytes = from->ledger_physical_bytes,
        .ledger_mapped_bytes = from->ledger_mapped_bytes,
        .kernel_physical_bytes = from->kernel_physical_bytes,
        .kernel_mapped_bytes = from->kernel_mapped_bytes,
        .ledger_control_bytes = from->ledger_control_bytes,
        .kernel_control_bytes = from->kernel_control_bytes,
        .resident_physical_bytes = from->resident_physical_bytes,
        .in_flight = from->in_flight,
        .differences = (const char *const *)from->differences,
        .difference_count = from->n_differences,
    };
    return true;
}

static bool decode_limits_changed(const Membroker__V1__LimitsEvent *from, struct limits_event *to)
{
    to->host_limits = limits_of(from->host_limits);
    to->times =
        (struct lease_times){from->ttl_min_ms, from->ttl_max_ms, from->ttl_default_ms, from->reconnect_grace_ms};
    return true;
}

/* Answers with a body of their own; events are decode_event's. */
static bool decode_answer(const DaemonMessage *message, struct codec_arena *arena, struct reply *ret)
{
    switch ((int)message->body_case) {
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_ERROR:
        ret->kind = REPLY_ERROR;
        return decode_error(message->error, &ret->error);
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_WELCOME:
        ret->kind = REPLY_WELCOME;
        return decode_welcome(message->welcome, &ret->welcome);
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_GRANT:
        ret->kind = REPLY_GRANT;
        return decode_grant(message->grant, &ret->grant);
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_DONE:
        ret->kind = REPLY_DONE;
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_RENEWED:
        ret->kind = REPLY_RENEWED;
        return decode_renewed(message->renewed, arena, &ret->renewed);
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_STATUS:
        ret->kind = REPLY_STATUS;
        return decode_status(message->status, &ret->status);
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_LISTING:
        ret->kind = REPLY_LISTING;
        return decode_listing(message->listing, arena, &ret->listing);
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_PONG:
        ret->kind = REPLY_PONG;
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_AUDIT:
        ret->kind = REPLY_AUDIT;
        return decode_audit(message->audit, &ret->audit);
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_WHY:
        ret->kind = REPLY_WHY;
        return codec_decode_why(message->why, arena, &ret->why);
    default:
        return true;
    }
}

static bool decode_event(const DaemonMessage *message, struct reply *ret)
{
    switch ((int)message->body_case) {
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_EXPIRING:
        ret->kind = EVENT_EXPIRING;
        ret->expiring = (struct expiring_event){message->expiring->lease, message->expiring->remaining_ms};
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_LEASE_ENDED:
        ret->kind = EVENT_LEASE_ENDED;
        ret->lease_ended = lease_end_of(message->lease_ended);
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_LIMITS_CHANGED:
        ret->kind = EVENT_LIMITS_CHANGED;
        return decode_limits_changed(message->limits_changed, &ret->limits_changed);
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_TRIM:
        ret->kind = EVENT_TRIM;
        ret->trim = (struct trim_event){message->trim->wanted_bytes, (enum location)message->trim->location,
                                        message->trim->deadline_ms};
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_PRESSURE:
        ret->kind = EVENT_PRESSURE;
        ret->pressure = (enum pressure)message->pressure->level;
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_SPARED:
        ret->kind = EVENT_SPARED;
        ret->spared_lease = message->spared->lease;
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_REVOKING:
        ret->kind = EVENT_REVOKING;
        ret->revoking = (struct expiring_event){message->revoking->lease, message->revoking->remaining_ms};
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_CONTROL_PAGE:
        ret->kind = EVENT_CONTROL_PAGE;
        ret->control_page = (struct control_page_event){message->control_page->bytes, message->control_page->first_slot,
                                                        message->control_page->slots};
        return true;
    case MEMBROKER__V1__DAEMON_MESSAGE__BODY_SHUTTING_DOWN:
        ret->kind = EVENT_SHUTTING_DOWN;
        return true;
    default:
        return true;
    }
}

int codec_decode_reply(const uint8_t *payload, size_t bytes, struct codec_arena *arena, struct reply *ret)
{
    arena->used = 0;
    ProtobufCAllocator allocator = codec_arena_allocator(arena);
    DaemonMessage *message = membroker__v1__daemon_message__unpack(&allocator, bytes, payload);
    if (!message || codec_text_has_nul(&membroker__v1__daemon_message__descriptor, payload, bytes)) {
        return -EBADMSG;
    }
    memset(ret, 0, sizeof *ret);
    ret->is_answer = message->has_reply_to;
    ret->reply_to = message->reply_to;
    ret->descriptors = message->descriptors;
    ret->kind = REPLY_UNKNOWN;
    return decode_answer(message, arena, ret) && decode_event(message, ret) ? 0 : -EBADMSG;
}
