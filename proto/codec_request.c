/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to frames and back. An encoder and a decoder for each kind stand side by side; the kinds
 * without fields have neither.
 */
#include <errno.h>
#include <string.h>

#include "membroker.pb-c.h"
#include "proto/codec_arena.h"
#include "proto/codec_text.h"

typedef Membroker__V1__ClientMessage ClientMessage;

_Static_assert((int)REQUEST_HELLO == 1 && REQUEST_KINDS == 16, "a new request needs its codec");
_Static_assert((int)LOCATION_AUTO == MEMBROKER__V1__LOCATION__LOCATION_AUTO, "the enums share numbers");
_Static_assert((int)HUGE_PAGES_ALWAYS == MEMBROKER__V1__HUGE_PAGES__HUGE_PAGES_ALWAYS, "the enums share numbers");
_Static_assert((int)LIST_QUEUE == MEMBROKER__V1__LIST__WHAT__LIST_QUEUE, "the enums share numbers");

static const char bad_name[] =
    "the name is longer than 63 bytes, is not UTF-8 or has control or invisible characters in it; "
    "choose a plain one";

/* ---- hello ---- */

static void set_unless_unsaid(uint64_t value, protobuf_c_boolean *has, uint64_t *field)
{
    if (value != LIMIT_DEFAULT) {
        *has = 1;
        *field = value;
    }
}

static bool encode_hello(const struct hello_request *from, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Hello, hello, to);
    CODEC_SET(to, protocol_min, from->protocol_min);
    CODEC_SET(to, protocol_max, from->protocol_max);
    to->name = codec_text(from->name);
    set_unless_unsaid(from->heap_bytes, &to->has_heap_bytes, &to->heap_bytes);
    set_unless_unsaid(from->max_bytes, &to->has_max_bytes, &to->max_bytes);
    set_unless_unsaid(from->max_physical_bytes, &to->has_max_physical_bytes, &to->max_physical_bytes);
    CODEC_SET(to, monitor, from->monitor);
    if (from->resume) {
        uint8_t *token = codec_arena_allocate(arena, 1, MESSAGE_TOKEN_SIZE);
        if (!token) {
            return false;
        }
        memcpy(token, from->token.bytes, MESSAGE_TOKEN_SIZE);
        CODEC_SET(to, resume_session, from->session);
        CODEC_SET(to, resume_token, ((ProtobufCBinaryData){MESSAGE_TOKEN_SIZE, token}));
    }
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_HELLO;
    message->hello = to;
    return true;
}

static const char *decode_hello(const Membroker__V1__Hello *from, struct hello_request *to)
{
    to->protocol_min = from->protocol_min;
    to->protocol_max = from->protocol_max;
    to->heap_bytes = from->has_heap_bytes ? from->heap_bytes : LIMIT_DEFAULT;
    to->max_bytes = from->has_max_bytes ? from->max_bytes : LIMIT_DEFAULT;
    to->max_physical_bytes = from->has_max_physical_bytes ? from->max_physical_bytes : LIMIT_DEFAULT;
    to->monitor = from->monitor;
    to->resume = from->has_resume_session;
    to->session = from->resume_session;
    if (to->resume) {
        if (!from->has_resume_token || from->resume_token.len != MESSAGE_TOKEN_SIZE) {
            return "resume_token must have 16 bytes";
        }
        memcpy(to->token.bytes, from->resume_token.data, MESSAGE_TOKEN_SIZE);
    }
    return codec_copy_name(to->name, from->name) ? NULL : bad_name;
}

/* ---- acquire and extend ---- */

/* What most requests do not say. */
static void encode_wishes(const struct acquire_request *from, Membroker__V1__Acquire *to)
{
    if (from->wait_ms) {
        CODEC_SET(to, wait_ms, from->wait_ms);
    }
    if (from->learned) {
        CODEC_SET(to, learned, 1);
    }
    if (from->use_learned) {
        CODEC_SET(to, use_learned, 1);
    }
    if (from->interleave) {
        CODEC_SET(to, interleave, 1);
    }
}

static bool encode_acquire(const struct acquire_request *from, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Acquire, acquire, to);
    CODEC_SET(to, bytes, from->bytes);
    CODEC_SET(to, location, (Membroker__V1__Location)from->location);
    CODEC_SET(to, ttl_ms, from->ttl_ms);
    to->name = codec_text(from->name);
    if (from->has_huge_pages) {
        CODEC_SET(to, huge_pages, (Membroker__V1__HugePages)from->huge_pages);
    }
    encode_wishes(from, to);
    if (from->numa_node >= 0) {
        CODEC_SET(to, numa_node, (uint32_t)from->numa_node);
    }
    CODEC_SET(to, prefault, from->prefault);
    if (from->file[0]) {
        to->file = codec_text(from->file);
    }
    if (from->repeats) {
        CODEC_SET(to, repeats, from->repeats);
    }
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_ACQUIRE;
    message->acquire = to;
    return true;
}

static const char *decode_acquire(const Membroker__V1__Acquire *from, struct acquire_request *to)
{
    to->bytes = from->bytes;
    to->location = (enum location)from->location;
    to->ttl_ms = from->ttl_ms;
    to->huge_pages = (enum huge_pages)from->huge_pages;
    to->has_huge_pages = from->has_huge_pages;
    to->interleave = from->interleave;
    to->wait_ms = from->wait_ms;
    to->learned = from->learned;
    to->use_learned = from->use_learned;
    to->numa_node = -1;
    to->prefault = from->prefault;
    to->repeats = from->repeats;
    if (from->location < 0 || from->location > MEMBROKER__V1__LOCATION__LOCATION_AUTO) {
        return "this broker does not know the location that was asked for; use RAM, MMAP or AUTO";
    }
    if (from->huge_pages < 0 || from->huge_pages > MEMBROKER__V1__HUGE_PAGES__HUGE_PAGES_ALWAYS) {
        return "this broker does not know the huge-page wish that was asked for; use NEVER, TRY or ALWAYS";
    }
    if (from->has_numa_node) {
        if (from->numa_node > INT32_MAX) {
            return "the NUMA node's number is too large";
        }
        to->numa_node = (int32_t)from->numa_node;
    }
    if (!codec_copy_name(to->file, from->file)) {
        return "the file's name is longer than 63 bytes, is not UTF-8 or has control or invisible characters in it";
    }
    return codec_copy_name(to->name, from->name) ? NULL : bad_name;
}

static bool encode_extend(const struct extend_request *from, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Extend, extend, to);
    CODEC_SET(to, lease, from->lease);
    CODEC_SET(to, bytes, from->bytes);
    CODEC_SET(to, prefault, from->prefault);
    if (from->repeats) {
        CODEC_SET(to, repeats, from->repeats);
    }
    if (from->wait_ms) {
        CODEC_SET(to, wait_ms, from->wait_ms);
    }
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_EXTEND;
    message->extend = to;
    return true;
}

/* ---- renew ---- */

static bool encode_use(const struct renew_request *from, struct codec_arena *arena, Membroker__V1__Renew *to)
{
    Membroker__V1__LeaseUse *use = codec_arena_allocate(arena, from->use_count, sizeof *use);
    to->use = codec_arena_allocate(arena, from->use_count, sizeof *to->use);
    if (!use || !to->use) {
        return false;
    }
    for (size_t i = 0; i < from->use_count; i++) {
        membroker__v1__lease_use__init(&use[i]);
        CODEC_SET(&use[i], lease, from->use[i].lease);
        CODEC_SET(&use[i], used_bytes, from->use[i].used_bytes);
        to->use[i] = &use[i];
    }
    to->n_use = from->use_count;
    return true;
}

static bool encode_renew(const struct renew_request *from, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Renew, renew, to);
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_RENEW;
    message->renew = to;
    return !from->use_count || encode_use(from, arena, to);
}

static const char *decode_renew(const Membroker__V1__Renew *from, struct codec_arena *arena, struct renew_request *to)
{
    struct lease_use *use = codec_arena_allocate(arena, from->n_use, sizeof *use);
    if (!use || from->n_use > MESSAGE_USE_MAX) {
        return "too many leases are reported in one renewal; report at most 3000";
    }
    for (size_t i = 0; i < from->n_use; i++) {
        use[i] = (struct lease_use){.lease = from->use[i]->lease, .used_bytes = from->use[i]->used_bytes};
    }
    to->use = use;
    to->use_count = from->n_use;
    return NULL;
}

/* ---- the rest ---- */

static bool encode_release(uint64_t lease, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Release, release, to);
    CODEC_SET(to, lease, lease);
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_RELEASE;
    message->release = to;
    return true;
}

static bool encode_revoke(uint64_t lease, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Revoke, revoke, to);
    CODEC_SET(to, lease, lease);
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_REVOKE;
    message->revoke = to;
    return true;
}

static bool encode_cancel(uint64_t request, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Cancel, cancel, to);
    CODEC_SET(to, request, request);
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_CANCEL;
    message->cancel = to;
    return true;
}

static bool encode_trimmed(uint64_t bytes, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Trimmed, trimmed, to);
    CODEC_SET(to, bytes, bytes);
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_TRIMMED;
    message->trimmed = to;
    return true;
}

static bool encode_why(uint64_t session, struct codec_arena *arena, ClientMessage *message)
{
    NEW(Why, why, to);
    CODEC_SET(to, session, session);
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_WHY;
    message->why = to;
    return true;
}

static bool encode_list(const struct list_request *from, struct codec_arena *arena, ClientMessage *message)
{
    NEW(List, list, to);
    CODEC_SET(to, what, (Membroker__V1__List__What)from->what);
    CODEC_SET(to, after, from->after);
    message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_LIST;
    message->list = to;
    return true;
}

static const char *decode_list(const Membroker__V1__List *from, struct list_request *to)
{
    to->what = (enum list_what)from->what;
    to->after = from->after;
    bool known = from->what >= 0 && from->what <= MEMBROKER__V1__LIST__WHAT__LIST_QUEUE;
    return known ? NULL : "this broker does not know what was asked to be listed";
}

static bool encode_empty(enum request_kind kind, ClientMessage *message)
{
    static Membroker__V1__Status status = MEMBROKER__V1__STATUS__INIT;
    static Membroker__V1__Ping ping = MEMBROKER__V1__PING__INIT;
    static Membroker__V1__Audit audit = MEMBROKER__V1__AUDIT__INIT;
    static Membroker__V1__Reload reload = MEMBROKER__V1__RELOAD__INIT;
    static Membroker__V1__Bye bye = MEMBROKER__V1__BYE__INIT;

    if (kind == REQUEST_STATUS) {
        message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_STATUS;
        message->status = &status;
    } else if (kind == REQUEST_PING) {
        message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_PING;
        message->ping = &ping;
    } else if (kind == REQUEST_AUDIT) {
        message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_AUDIT;
        message->audit = &audit;
    } else if (kind == REQUEST_RELOAD) {
        message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_RELOAD;
        message->reload = &reload;
    } else if (kind == REQUEST_BYE) {
        message->request_case = MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_BYE;
        message->bye = &bye;
    }
    return true;
}

static bool encode_body(const struct request *request, struct codec_arena *arena, ClientMessage *message)
{
    switch (request->kind) {
    case REQUEST_HELLO:
        return encode_hello(&request->hello, arena, message);
    case REQUEST_ACQUIRE:
        return encode_acquire(&request->acquire, arena, message);
    case REQUEST_EXTEND:
        return encode_extend(&request->extend, arena, message);
    case REQUEST_RELEASE:
        return encode_release(request->release_lease, arena, message);
    case REQUEST_RENEW:
        return encode_renew(&request->renew, arena, message);
    case REQUEST_LIST:
        return encode_list(&request->list, arena, message);
    case REQUEST_REVOKE:
        return encode_revoke(request->revoke_lease, arena, message);
    case REQUEST_CANCEL:
        return encode_cancel(request->cancel_request, arena, message);
    case REQUEST_TRIMMED:
        return encode_trimmed(request->trimmed_bytes, arena, message);
    case REQUEST_WHY:
        return encode_why(request->why_session, arena, message);
    case REQUEST_STATUS:
    case REQUEST_PING:
    case REQUEST_AUDIT:
    case REQUEST_RELOAD:
    case REQUEST_BYE:
    case REQUEST_UNKNOWN:
    case REQUEST_KINDS:
        break;
    }
    return encode_empty(request->kind, message);
}

int codec_encode_request(const struct request *request, struct codec_arena *arena, uint8_t frame[FRAME_BYTES_MAX])
{
    ClientMessage message = MEMBROKER__V1__CLIENT_MESSAGE__INIT;
    arena->used = 0;
    if (request->id) {
        CODEC_SET(&message, id, request->id);
    }
    return encode_body(request, arena, &message) ? codec_pack(&message.base, frame) : -EMSGSIZE;
}

/* Fills the body; returns what is wrong with it, or NULL. The oneof's cases are numbered apart from enum request_kind.
 */
static const char *decode_body(const ClientMessage *message, struct codec_arena *arena, struct request *ret)
{
    switch (message->request_case) {
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_HELLO:
        ret->kind = REQUEST_HELLO;
        return decode_hello(message->hello, &ret->hello);
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_ACQUIRE:
        ret->kind = REQUEST_ACQUIRE;
        return decode_acquire(message->acquire, &ret->acquire);
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_EXTEND:
        ret->kind = REQUEST_EXTEND;
        ret->extend = (struct extend_request){message->extend->lease, message->extend->bytes, message->extend->prefault,
                                              message->extend->wait_ms, message->extend->repeats};
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_RELEASE:
        ret->kind = REQUEST_RELEASE;
        ret->release_lease = message->release->lease;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_RENEW:
        ret->kind = REQUEST_RENEW;
        return decode_renew(message->renew, arena, &ret->renew);
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_STATUS:
        ret->kind = REQUEST_STATUS;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_LIST:
        ret->kind = REQUEST_LIST;
        return decode_list(message->list, &ret->list);
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_REVOKE:
        ret->kind = REQUEST_REVOKE;
        ret->revoke_lease = message->revoke->lease;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_PING:
        ret->kind = REQUEST_PING;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_AUDIT:
        ret->kind = REQUEST_AUDIT;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_RELOAD:
        ret->kind = REQUEST_RELOAD;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_BYE:
        ret->kind = REQUEST_BYE;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_CANCEL:
        ret->kind = REQUEST_CANCEL;
        ret->cancel_request = message->cancel->request;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_TRIMMED:
        ret->kind = REQUEST_TRIMMED;
        ret->trimmed_bytes = message->trimmed->bytes;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_WHY:
        ret->kind = REQUEST_WHY;
        ret->why_session = message->why->session;
        return NULL;
    case MEMBROKER__V1__CLIENT_MESSAGE__REQUEST__NOT_SET:
    case _MEMBROKER__V1__CLIENT_MESSAGE__REQUEST__CASE_IS_INT_SIZE:
        break;
    }
    return NULL;
}

int codec_decode_request(const uint8_t *payload, size_t bytes, struct codec_arena *arena, struct request *ret,
                         const char **ret_fault)
{
    arena->used = 0;
    ProtobufCAllocator allocator = codec_arena_allocator(arena);
    ClientMessage *message = membroker__v1__client_message__unpack(&allocator, bytes, payload);
    if (!message) {
        return -EBADMSG;
    }
    *ret = (struct request){.id = message->id, .kind = REQUEST_UNKNOWN};
    const char *fault = decode_body(message, arena, ret);
    if (codec_text_has_nul(&membroker__v1__client_message__descriptor, payload, bytes)) {
        fault = "a text in the request has a NUL byte in it; leave that out";
    }
    if (fault) {
        *ret_fault = fault;
        return -EINVAL;
    }
    return 0;
}
