/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/event_log.h"

#include <stdio.h>

#include "daemon/core/ending.h"
#include "daemon/runtime/about.h"
#include "daemon/runtime/probes.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"

enum { WHO_BYTES = 2 * MESSAGE_NAME_SIZE + 128 };

enum { QUOTED_BYTES = 2 * MESSAGE_NAME_SIZE + 4 };

/* A name may have quotation marks: doubled, they can't be taken for its end. */
static const char *quoted(const char *name, char *text)
{
    size_t at = 0;
    text[at++] = '"';
    for (; *name && at < QUOTED_BYTES - 4; name++) {
        text[at++] = *name;
        if (*name == '"') {
            text[at++] = '"';
        }
    }
    text[at++] = '"';
    text[at] = '\0';
    return text;
}

/* "trainer" (session 3, process 7, uid 1000); without a session, process and user alone. */
static const char *who(const char *client, uint64_t session, int32_t pid, uint32_t uid, char *text)
{
    char name[QUOTED_BYTES];
    if (session) {
        (void)snprintf(text, WHO_BYTES, "%s (session %llu, process %d, uid %u)",
                       quoted(*client ? client : "unnamed", name), (unsigned long long)session, pid, uid);
    } else {
        (void)snprintf(text, WHO_BYTES, "process %d (uid %u)", pid, uid);
    }
    return text;
}

/* ---- endings ---- */

static void write_cause(const struct effect_ended *ended, char *text, size_t size)
{
    const struct effect_cause *cause = &ended->cause;
    char by[WHO_BYTES], bytes[SIZE_TEXT_BYTES];
    if (ended->reason != END_REVOKED) {
        (void)snprintf(text, size, "%s", end_reason_text(ended->reason));
        return;
    }
    if (cause->is_reservation) {
        char name[QUOTED_BYTES];
        (void)snprintf(text, size, "its reservation %s was given up", quoted(cause->client, name));
        return;
    }
    who(cause->client, cause->session, cause->pid, cause->uid, by);
    if (cause->is_request) {
        (void)snprintf(text, size, "it was revoked for %s, whose request for %s has a higher priority", by,
                       size_to_text(cause->bytes, bytes));
    } else {
        (void)snprintf(text, size, "%s revoked it", by);
    }
}

static enum log_event event_of(enum end_reason reason)
{
    bool is_revoked = reason == END_REVOKED || reason == END_TAMPERED;
    return reason == END_EXPIRED ? LOG_EVENT_LEASE_EXPIRED : is_revoked ? LOG_EVENT_LEASE_REVOKED : LOG_EVENT_NONE;
}

static void probe_ended(const struct effect_ended *ended, const struct peer *peer)
{
    uint32_t uid = peer->identity.uid;
    switch (ended->reason) {
    case END_RELEASED:
        PROBE5(release, ended->lease, peer->session, uid, ended->bytes, ended->location);
        break;
    case END_EXPIRED:
        PROBE5(expire, ended->lease, peer->session, uid, ended->bytes, ended->location);
        break;
    case END_REVOKED:
        PROBE6(revoke, ended->lease, peer->session, uid, ended->bytes, ended->location, ended->cause.uid);
        break;
    case END_NONE:
    case END_DIED:
    case END_DISCONNECTED:
    case END_SHUTDOWN:
    case END_TAMPERED:
    case END_UNPUBLISHED:
    case END_REPLACED:
    case END_EVICTED:
    case END_REASONS:
        PROBE6(end, ended->lease, peer->session, uid, ended->bytes, ended->location, ended->reason);
        break;
    }
}

static void note_ended(const struct effect_ended *ended)
{
    struct peer *peer = ended->peer;
    const struct history_who who = {&peer->marks, &peer->identity, peer->session, ended->client, ended->class};
    history_ended(&peer->server->history, &who, ended);
    probe_ended(ended, peer);
}

/* What a client itself wanted, or its own end brought, is no news but with --verbose. */
void event_log_ended(const struct effect_ended *ended)
{
    const struct peer *peer = ended->peer;
    note_ended(ended);
    struct log_about about = about_peer(peer, event_of(ended->reason), ended->lease);
    enum log_level level = about.event ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    char of[WHO_BYTES], cause[2 * WHO_BYTES], bytes[SIZE_TEXT_BYTES], name[QUOTED_BYTES + 1] = "";
    if (!log_shows(level) || (about.event && !log_allows(&about))) {
        return;
    }
    if (ended->name[0]) {
        char text[QUOTED_BYTES];
        (void)snprintf(name, sizeof name, " %s", quoted(ended->name, text));
    }
    write_cause(ended, cause, sizeof cause);
    log_line(level, &about, "lease %llu%s (%s in %s) of %s %s: %s", (unsigned long long)ended->lease, name,
             size_to_text(ended->bytes, bytes), location_place(ended->location),
             who(ended->client, peer->session, peer->identity.pid, peer->identity.uid, of),
             ended->reason == END_EXPIRED ? "expired" : "ended", cause);
}

/* ---- grants and refusals ---- */

static struct history_who describe(struct peer *peer)
{
    struct history_who who = {&peer->marks, &peer->identity, peer->session, "", ""};
    broker_describe(peer->server->broker, peer->session, &who.client, &who.class);
    return who;
}

static void probe_reply(const struct peer *peer, const struct reply *reply)
{
    const struct grant_reply *grant = &reply->grant;
    const struct error_reply *error = &reply->error;
    if (reply->kind == REPLY_GRANT) {
        PROBE5(grant, grant->lease, peer->session, peer->identity.uid, grant->bytes, grant->location);
    } else if (reply->kind == REPLY_ERROR) {
        PROBE5(refuse, error->code, peer->session, peer->identity.uid, error->refusal.asked_bytes,
               error->refusal.limit_kind);
    } else if (reply->kind == REPLY_ATTACHED) {
        const struct attached_reply *attached = &reply->attached;
        PROBE5(attach, attached->lease, peer->session, peer->identity.uid, attached->bytes, attached->block);
    }
}

static void note_reply(struct peer *peer, const struct reply *reply)
{
    struct history *history = &peer->server->history;
    if (reply->kind == REPLY_GRANT && !history_granted_again(history, &peer->marks, &reply->grant)) {
        struct history_who who = describe(peer);
        history_granted(history, &who, &reply->grant);
    } else if (reply->kind == REPLY_ERROR) {
        struct history_who who = describe(peer);
        history_refused(history, &who, &reply->error);
    }
}

static void log_grant(const struct peer *peer, const struct grant_reply *grant)
{
    struct log_about about = about_peer(peer, LOG_EVENT_NONE, grant->lease);
    char bytes[SIZE_TEXT_BYTES], ttl[SIZE_TEXT_BYTES];
    size_to_text(grant->bytes, bytes);
    if (grant->extents > 1) {
        log_line(LOG_LEVEL_DEBUG, &about, "extended lease %llu by %s in %s, to %u segments, for process %d (uid %u)",
                 (unsigned long long)grant->lease, bytes, location_place(grant->location), grant->extents,
                 peer->identity.pid, peer->identity.uid);
    } else {
        log_line(LOG_LEVEL_DEBUG, &about, "granted lease %llu, %s in %s with a TTL of %s, to process %d (uid %u)",
                 (unsigned long long)grant->lease, bytes, location_place(grant->location),
                 duration_to_text(grant->ttl_ms, ttl), peer->identity.pid, peer->identity.uid);
    }
}

void event_log_reply(const struct effect_reply *reply)
{
    const struct peer *peer = reply->peer;
    note_reply(reply->peer, &reply->reply);
    probe_reply(peer, &reply->reply);
    if (!log_shows(LOG_LEVEL_DEBUG)) {
        return;
    }
    if (reply->reply.kind == REPLY_GRANT) {
        log_grant(peer, &reply->reply.grant);
    } else if (reply->reply.kind == REPLY_ERROR) {
        struct log_about about = about_peer(peer, LOG_EVENT_NONE, 0);
        log_line(LOG_LEVEL_DEBUG, &about, "refused a request of process %d (uid %u): %s", peer->identity.pid,
                 peer->identity.uid, reply->reply.error.sentence);
    }
}

/* ---- reservations ---- */

static enum log_event event_of_change(enum reservation_change change)
{
    bool ends = change == RESERVATION_GIVEN_UP || change == RESERVATION_EXPIRED;
    return change == RESERVATION_MADE ? LOG_EVENT_RESERVED : ends ? LOG_EVENT_UNRESERVED : LOG_EVENT_NONE;
}

void event_log_reservations(struct history *history, const struct effect_reservations *reservations)
{
    static const char *const words[] = {[RESERVATION_MADE] = "was made",
                                        [RESERVATION_EXTENDED] = "was given more control groups",
                                        [RESERVATION_SUSPENDED] = "was suspended",
                                        [RESERVATION_RESUMED] = "was resumed",
                                        [RESERVATION_GIVEN_UP] = "was given up"};
    const struct log_about about = {.event = event_of_change(reservations->change),
                                    .has_uid = reservations->change != RESERVATION_EXPIRED,
                                    .uid = reservations->uid,
                                    .reservation = reservations->name};
    char name[QUOTED_BYTES], bytes[SIZE_TEXT_BYTES], by[WHO_BYTES];
    history_reservations(history, reservations);
    if (reservations->change == RESERVATION_FORGOTTEN || !log_allows(&about)) {
        return;
    }
    quoted(reservations->name, name);
    size_to_text(reservations->bytes, bytes);
    if (reservations->change != RESERVATION_EXPIRED) {
        log_line(LOG_LEVEL_INFO, &about, "the reservation %s (%s) %s by %s", name, bytes, words[reservations->change],
                 who("", 0, reservations->pid, reservations->uid, by));
    } else if (reservations->more) {
        log_line(LOG_LEVEL_INFO, &about, "the reservation %s (%s) expired, and %zu more", name, bytes,
                 reservations->more);
    } else {
        log_line(LOG_LEVEL_INFO, &about, "the reservation %s (%s) expired", name, bytes);
    }
}

/* ---- blocks ---- */

static void probe_block(const struct effect_block *block)
{
    if (block->change == BLOCK_CHANGE_PUBLISHED) {
        PROBE5(publish, block->block, block->session, block->owner, block->bytes, block->lifetime);
    } else if (block->reason == END_EVICTED) {
        PROBE5(evict, block->block, block->session, block->owner, block->bytes, block->lifetime);
    } else {
        PROBE6(block__end, block->block, block->session, block->owner, block->bytes, block->lifetime, block->reason);
    }
}

/* What its clients wanted, or their own end brought, is no news but with --verbose. */
static bool is_taken(const struct effect_block *block)
{
    bool is_lost = block->reason == END_EVICTED || block->reason == END_REVOKED;
    return is_lost || (block->has_by && block->by_uid != block->owner);
}

static void log_block_end(enum log_level level, const struct log_about *about, const struct effect_block *block,
                          const char *what)
{
    char by[WHO_BYTES];
    const char *reason = end_reason_text_of_block(block->reason);
    if (block->has_by) {
        log_line(level, about, "%s ended: %s, by %s", what, reason, who("", 0, block->by_pid, block->by_uid, by));
    } else {
        log_line(level, about, "%s ended: %s", what, reason);
    }
}

void event_log_block(struct history *history, const struct effect_block *block)
{
    static const char *const lifetimes[] = {
        [LIFETIME_SESSION] = "session", [LIFETIME_KEEP] = "keep", [LIFETIME_CACHE] = "cache"};
    enum log_level level = is_taken(block) ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    const struct log_about about = {.event = is_taken(block) ? LOG_EVENT_BLOCK_TAKEN : LOG_EVENT_NONE,
                                    .session = block->session,
                                    .has_uid = true,
                                    .uid = block->owner};
    char name[QUOTED_BYTES], bytes[SIZE_TEXT_BYTES], what[2 * QUOTED_BYTES];
    history_block(history, block);
    probe_block(block);
    if (!log_shows(level) || (level == LOG_LEVEL_INFO && !log_allows(&about))) {
        return;
    }
    (void)snprintf(what, sizeof what, "block %llu, %s of uid %u (%s),", (unsigned long long)block->block,
                   quoted(block->name, name), block->owner, size_to_text(block->bytes, bytes));
    if (block->change == BLOCK_CHANGE_ENDED) {
        log_block_end(level, &about, block, what);
    } else {
        log_line(level, &about, "%s was published with lifetime %s", what, lifetimes[block->lifetime]);
    }
}
