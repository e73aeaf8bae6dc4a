/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals, the queue, and why requests wait: to protobuf and back. */
#include "proto/codec_reply.h"

static bool new_holder(const struct holder *from, struct codec_arena *arena, Membroker__V1__Holder **ret)
{
    NEW(Holder, holder, to);
    CODEC_SET(to, session, from->session);
    to->name = codec_text(from->name);
    CODEC_SET(to, pid, from->pid);
    CODEC_SET(to, uid, from->uid);
    CODEC_SET(to, bytes, from->bytes);
    *ret = to;
    return true;
}

/* NULL: the arena is full. */
static Membroker__V1__Holder **new_holders(const struct holder *from, size_t count, struct codec_arena *arena)
{
    Membroker__V1__Holder **to = codec_arena_allocate(arena, MESSAGE_HOLDERS_MAX, sizeof *to);
    for (size_t i = 0; to && i < count; i++) {
        if (!new_holder(&from[i], arena, &to[i])) {
            return NULL;
        }
    }
    return to;
}

bool codec_new_refusal(const struct refusal *from, struct codec_arena *arena, Membroker__V1__Refusal **ret)
{
    NEW(Refusal, refusal, to);
    to->limit = codec_text(from->limit);
    CODEC_SET(to, limit_kind, (Membroker__V1__LimitKind)from->limit_kind);
    to->whose = codec_text(from->whose);
    CODEC_SET(to, limit_bytes, from->limit_bytes);
    CODEC_SET(to, asked_bytes, from->asked_bytes);
    CODEC_SET(to, used_bytes, from->used_bytes);
    CODEC_SET(to, free_bytes, from->free_bytes);
    CODEC_SET(to, reserved_bytes, from->reserved_bytes);
    CODEC_SET(to, claimed_bytes, from->claimed_bytes);
    CODEC_SET(to, pool_bytes, from->pool_bytes);
    to->holders = new_holders(from->holders, from->holder_count, arena);
    to->n_holders = from->holder_count;
    to->ahead = new_holders(from->ahead, from->ahead_count, arena);
    to->n_ahead = from->ahead_count;
    *ret = to;
    return to->holders && to->ahead;
}

/* Returns how many there are. */
static size_t read_holders(Membroker__V1__Holder *const *from, size_t count, struct holder *to)
{
    size_t kept = count < MESSAGE_HOLDERS_MAX ? count : MESSAGE_HOLDERS_MAX;
    for (size_t i = 0; i < kept; i++) {
        const Membroker__V1__Holder *holder = from[i];
        to[i] =
            (struct holder){.session = holder->session, .pid = holder->pid, .uid = holder->uid, .bytes = holder->bytes};
        text_copy(to[i].name, sizeof to[i].name, holder->name);
    }
    return kept;
}

/* A newer broker may have a kind that is not known here, an older one sends the name alone. */
static enum limit_kind read_limit_kind(const Membroker__V1__Refusal *from)
{
    bool is_known = from->has_limit_kind && (unsigned)from->limit_kind < LIMIT_KINDS;
    return is_known      ? (enum limit_kind)from->limit_kind
           : from->limit ? limit_kind_named(from->limit)
                         : LIMIT_KIND_UNSPECIFIED;
}

void codec_read_refusal(const Membroker__V1__Refusal *from, struct refusal *to)
{
    text_copy(to->limit, sizeof to->limit, from->limit);
    to->limit_kind = read_limit_kind(from);
    text_copy(to->whose, sizeof to->whose, from->whose);
    to->limit_bytes = from->limit_bytes;
    to->asked_bytes = from->asked_bytes;
    to->used_bytes = from->used_bytes;
    to->free_bytes = from->free_bytes;
    to->reserved_bytes = from->reserved_bytes;
    to->claimed_bytes = from->claimed_bytes;
    to->pool_bytes = from->pool_bytes;
    to->holder_count = read_holders(from->holders, from->n_holders, to->holders);
    to->ahead_count = read_holders(from->ahead, from->n_ahead, to->ahead);
}

/* ---- the queue ---- */

static bool new_queue_entry(const struct queue_entry *from, struct codec_arena *arena, Membroker__V1__QueueEntry **ret)
{
    NEW(QueueEntry, queue_entry, to);
    CODEC_SET(to, place, from->place);
    CODEC_SET(to, session, from->session);
    to->name = codec_text(from->name);
    to->class_ = codec_text(from->class);
    CODEC_SET(to, pid, from->pid);
    CODEC_SET(to, uid, from->uid);
    CODEC_SET(to, request, from->request);
    CODEC_SET(to, bytes, from->bytes);
    CODEC_SET(to, location, (Membroker__V1__Location)from->location);
    CODEC_SET(to, priority, from->priority);
    CODEC_SET(to, waited_ms, from->waited_ms);
    CODEC_SET(to, remaining_ms, from->remaining_ms);
    to->limit = codec_text(from->limit);
    to->whose = codec_text(from->whose);
    *ret = to;
    return true;
}

bool codec_encode_queue(const struct listing_reply *from, struct codec_arena *arena, Membroker__V1__Listing *to)
{
    to->queue = codec_arena_allocate(arena, from->queue_count, sizeof *to->queue);
    for (; to->queue && to->n_queue < from->queue_count; to->n_queue++) {
        if (!new_queue_entry(&from->queue[to->n_queue], arena, &to->queue[to->n_queue])) {
            return false;
        }
    }
    return to->queue;
}

bool codec_decode_queue(const Membroker__V1__Listing *from, struct codec_arena *arena, struct listing_reply *to)
{
    struct queue_entry *queue = codec_arena_allocate(arena, from->n_queue, sizeof *queue);
    for (size_t i = 0; queue && i < from->n_queue; i++) {
        const Membroker__V1__QueueEntry *entry = from->queue[i];
        queue[i] = (struct queue_entry){
            .place = entry->place,
            .session = entry->session,
            .pid = entry->pid,
            .uid = entry->uid,
            .request = entry->request,
            .bytes = entry->bytes,
            .location = (enum location)entry->location,
            .priority = entry->priority,
            .waited_ms = entry->waited_ms,
            .remaining_ms = entry->remaining_ms,
        };
        text_copy(queue[i].name, sizeof queue[i].name, entry->name);
        text_copy(queue[i].class, sizeof queue[i].class, entry->class_);
        text_copy(queue[i].limit, sizeof queue[i].limit, entry->limit);
        text_copy(queue[i].whose, sizeof queue[i].whose, entry->whose);
    }
    to->queue = queue;
    to->queue_count = from->n_queue;
    return queue;
}

/* ---- why ---- */

static bool new_why_entry(const struct why_entry *from, struct codec_arena *arena, Membroker__V1__WhyEntry **ret)
{
    NEW(WhyEntry, why_entry, to);
    CODEC_SET(to, session, from->session);
    to->name = codec_text(from->name);
    CODEC_SET(to, pid, from->pid);
    CODEC_SET(to, uid, from->uid);
    CODEC_SET(to, waits, from->waits);
    CODEC_SET(to, place, from->place);
    CODEC_SET(to, since_ms, from->since_ms);
    CODEC_SET(to, location, (Membroker__V1__Location)from->location);
    CODEC_SET(to, either, from->either);
    CODEC_SET(to, over, from->is_over);
    if (from->earliest_ms != UINT64_MAX) {
        CODEC_SET(to, earliest_ms, from->earliest_ms);
    }
    *ret = to;
    return codec_new_refusal(&from->refusal, arena, &to->refusal);
}

bool codec_encode_why(const struct why_reply *from, struct codec_arena *arena, Membroker__V1__WhyReport *to)
{
    to->entries = codec_arena_allocate(arena, from->count, sizeof *to->entries);
    for (; to->entries && to->n_entries < from->count; to->n_entries++) {
        if (!new_why_entry(&from->entries[to->n_entries], arena, &to->entries[to->n_entries])) {
            return false;
        }
    }
    return to->entries;
}

bool codec_decode_why(const Membroker__V1__WhyReport *from, struct codec_arena *arena, struct why_reply *to)
{
    struct why_entry *entries = codec_arena_allocate(arena, from->n_entries, sizeof *entries);
    for (size_t i = 0; entries && i < from->n_entries; i++) {
        const Membroker__V1__WhyEntry *entry = from->entries[i];
        entries[i] = (struct why_entry){
            .session = entry->session,
            .pid = entry->pid,
            .uid = entry->uid,
            .waits = entry->waits,
            .place = entry->place,
            .since_ms = entry->since_ms,
            .location = (enum location)entry->location,
            .either = entry->either,
            .is_over = entry->over,
            .earliest_ms = entry->has_earliest_ms ? entry->earliest_ms : UINT64_MAX,
        };
        text_copy(entries[i].name, sizeof entries[i].name, entry->name);
        if (entry->refusal) {
            codec_read_refusal(entry->refusal, &entries[i].refusal);
        }
    }
    *to = (struct why_reply){entries, from->n_entries};
    return entries;
}
