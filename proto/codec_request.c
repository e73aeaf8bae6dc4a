/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: the tables of their fields, and frames from them and back. */
#include "proto/codec_tables.h"

#include <errno.h>
#include <string.h>

#include "membroker.pb-c.h"
#include "proto/codec.h"
#include "proto/codec_text.h"
#include "proto/name.h"

typedef Membroker__V1__ClientMessage ClientMessage;

_Static_assert((int)LOCATION_AUTO == MEMBROKER__V1__LOCATION__LOCATION_AUTO, "the enums share numbers");
_Static_assert((int)HUGE_PAGES_ALWAYS == MEMBROKER__V1__HUGE_PAGES__HUGE_PAGES_ALWAYS, "the enums share numbers");
_Static_assert((int)LIST_RESERVATIONS == MEMBROKER__V1__LIST__WHAT__LIST_RESERVATIONS, "the enums share numbers");

static const char bad_name[] =
    "the name is longer than 63 bytes, is not UTF-8 or has control or invisible characters in it; "
    "choose a plain one";

/* ---- hello ---- */

static bool resumes(const void *hello)
{
    return ((const struct hello_request *)hello)->resume;
}

CODEC_FIELDS(hello, struct hello_request, Hello) = {
    NUMBER(hello, protocol_min),
    NUMBER(hello, protocol_max),
    NUMBER(hello, heap_bytes, UNLESS(LIMIT_DEFAULT)),
    NUMBER(hello, max_bytes, UNLESS(LIMIT_DEFAULT)),
    NUMBER(hello, max_physical_bytes, UNLESS(LIMIT_DEFAULT)),
    NUMBER(hello, monitor),
    NUMBER_AS(hello, session, resume_session, IF_FLAG(hello, resume)),
    TOKEN(hello, token, resume_token, IF(resumes)),
    NAME(hello, name, bad_name),
};

static const char *check_hello(const void *message)
{
    const hello_theirs *hello = message;
    bool has_token = hello->has_resume_token && hello->resume_token.len == MESSAGE_TOKEN_SIZE;
    return !hello->has_resume_session || has_token ? NULL : "resume_token must have 16 bytes";
}

CODEC_TABLE(hello, hello, .check = check_hello);

/* ---- acquire and extend ---- */

CODEC_FIELDS(acquire, struct acquire_request, Acquire) = {
    NUMBER(acquire, bytes),
    NUMBER(acquire, location,
           RANGE(LOCATION_AUTO, "this broker does not know the location that was asked for; use RAM, MMAP or AUTO")),
    NUMBER(acquire, ttl_ms),
    NUMBER(acquire, huge_pages, IF_FLAG(acquire, has_huge_pages),
           RANGE(HUGE_PAGES_ALWAYS,
                 "this broker does not know the huge-page wish that was asked for; use NEVER, TRY or ALWAYS")),
    SIGNED_NUMBER(acquire, numa_node, .fault = "the NUMA node's number is too large"),
    NUMBER(acquire, interleave, UNLESS(0)),
    NUMBER(acquire, prefault),
    NUMBER(acquire, wait_ms, UNLESS(0)),
    NUMBER(acquire, learned, UNLESS(0)),
    NUMBER(acquire, use_learned, UNLESS(0)),
    NUMBER(acquire, repeats, UNLESS(0)),
    NUMBER(acquire, publishable, UNLESS(0)),
    NAME(acquire, file,
         "the file's name is longer than 63 bytes, is not UTF-8 or has control or invisible characters in it"),
    NAME(acquire, name, bad_name),
};
CODEC_TABLE(acquire, acquire);

CODEC_FIELDS(extend, struct extend_request, Extend) = {
    NUMBER(extend, lease),
    NUMBER(extend, bytes),
    NUMBER(extend, prefault),
    NUMBER(extend, wait_ms, UNLESS(0)),
    NUMBER(extend, repeats, UNLESS(0)),
};
CODEC_TABLE(extend, extend);

/* ---- renew ---- */

CODEC_FIELDS(use, struct lease_use, LeaseUse) = {
    NUMBER(use, lease),
    NUMBER(use, used_bytes),
};
CODEC_TABLE(use, lease_use);

CODEC_FIELDS(renew, struct renew_request, Renew) = {
    LIST(renew, use, use_count, use,
         RANGE(MESSAGE_USE_MAX, "too many leases are reported in one renewal; report at most 3000")),
};
CODEC_TABLE(renew, renew);

/* ---- reservations: the core checks all but how their texts are written ---- */

static const char *check_paths(char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!name_shows(paths[i], strlen(paths[i]))) {
            return "a control group's path is not UTF-8, or has control or invisible characters in it; name the group "
                   "above it";
        }
    }
    return NULL;
}

static const char *check_reserve(const void *message)
{
    const Membroker__V1__Reserve *reserve = message;
    return check_paths(reserve->control_groups, reserve->n_control_groups);
}

static const char *check_attach(const void *message)
{
    const Membroker__V1__Attach *attach = message;
    return check_paths(attach->control_groups, attach->n_control_groups);
}

CODEC_FIELDS(reserve, struct reserve_request, Reserve) = {
    NAME_AS(reserve, terms.name, name, bad_name),
    NUMBER_AS(reserve, terms.bytes, bytes),
    NUMBER_AS(reserve, terms.mapped_bytes, mapped_bytes),
    NUMBER_AS(reserve, terms.uid, uid, IF_FLAG(reserve, terms.has_uid)),
    NUMBER_AS(reserve, terms.priority, priority, IF_FLAG(reserve, terms.has_priority)),
    NUMBER_AS(reserve, terms.weight, weight, IF_FLAG(reserve, terms.has_weight)),
    NUMBER_AS(reserve, terms.expires_ms, expires_ms, UNLESS(0)),
    STRINGS_AS(reserve, groups.paths, groups.count, control_groups),
};
CODEC_TABLE(reserve, reserve, .check = check_reserve);

CODEC_FIELDS(attach, struct attach_request, Attach) = {
    NAME(attach, name, bad_name),
    STRINGS_AS(attach, groups.paths, groups.count, control_groups),
};
CODEC_TABLE(attach, attach, .check = check_attach);

CODEC_FIELDS(unreserve, struct unreserve_request, Unreserve) = {NAME(unreserve, name, bad_name)};
CODEC_TABLE(unreserve, unreserve);

CODEC_FIELDS(suspend, struct suspend_request, Suspend) = {
    NAME(suspend, name, bad_name),
    NUMBER(suspend, ends),
};
CODEC_TABLE(suspend, suspend);

/* ---- blocks ---- */

static const char long_metadata[] = "the metadata has more than 4096 bytes; put what is longer into the block";

CODEC_FIELDS(publish, struct publish_request, Publish) = {
    NUMBER(publish, lease),
    NAME(publish, name, bad_name),
    NUMBER(publish, lifetime,
           RANGE(LIFETIME_CACHE, "this broker does not know that lifetime; use SESSION, KEEP or CACHE")),
    NUMBER(publish, keep_ms, UNLESS(0)),
    NUMBER(publish, access, RANGE(BLOCK_ACCESS_ALL, "this broker does not know that access; use USER, GROUP or ALL")),
    NUMBER(publish, gid, UNLESS(0)),
    NUMBER(publish, replace, UNLESS(0)),
    NAME(publish, type, "the type is longer than 63 bytes, is not UTF-8 or has control or invisible characters in it"),
    BYTES(publish, metadata, RANGE(MESSAGE_METADATA_MAX, long_metadata)),
};
CODEC_TABLE(publish, publish);

CODEC_FIELDS(attach_block, struct attach_block_request, AttachBlock) = {
    NUMBER(attach_block, owner, IF_FLAG(attach_block, has_owner)),
    NAME(attach_block, name, bad_name),
    NUMBER(attach_block, wait_ms, UNLESS(0)),
    NUMBER(attach_block, ttl_ms, UNLESS(0)),
};
CODEC_TABLE(attach_block, attach_block);

CODEC_FIELDS(unpublish, struct unpublish_request, Unpublish) = {
    NUMBER(unpublish, owner, IF_FLAG(unpublish, has_owner)),
    NAME(unpublish, name, bad_name),
};
CODEC_TABLE(unpublish, unpublish);

CODEC_FIELDS(watch_blocks, struct watch_blocks_request, WatchBlocks) = {
    NUMBER(watch_blocks, owner, IF_FLAG(watch_blocks, has_owner)),
    NAME(watch_blocks, prefix, bad_name),
    NUMBER(watch_blocks, after, UNLESS(0)),
    NAME(watch_blocks, after_name, bad_name),
    NUMBER(watch_blocks, wait_ms, UNLESS(0)),
};
CODEC_TABLE(watch_blocks, watch_blocks);

/* ---- objects ---- */

static const char long_object[] = "an object has at most 32768 bytes; publish what is longer as a block";

CODEC_FIELDS(put, struct put_request, Put) = {
    NAME(put, name, bad_name),
    BYTES(put, data, RANGE(MESSAGE_OBJECT_MAX, long_object)),
    NUMBER(put, lifetime,
           RANGE(LIFETIME_KEEP, "an object lives as SESSION or KEEP; what is to be evicted is published as a block")),
    NUMBER(put, access, RANGE(BLOCK_ACCESS_ALL, "this broker does not know that access; use USER, GROUP or ALL")),
    NUMBER(put, gid, UNLESS(0)),
};
CODEC_TABLE(put, put);

CODEC_FIELDS(get, struct get_request, Get) = {
    NUMBER(get, owner, IF_FLAG(get, has_owner)),
    NAME(get, name, bad_name),
};
CODEC_TABLE(get, get);

CODEC_FIELDS(open_board, struct open_board_request, OpenBoard) = {
    NUMBER(open_board, board),
    NUMBER(open_board, part, UNLESS(0)),
};
CODEC_TABLE(open_board, open_board);

CODEC_FIELDS(remove, struct remove_request, Remove) = {
    NUMBER(remove, owner, IF_FLAG(remove, has_owner)),
    NAME(remove, name, bad_name),
};
CODEC_TABLE(remove, remove);

/* ---- the rest ---- */

CODEC_FIELDS(list, struct list_request, List) = {
    NUMBER(list, what, RANGE(LIST_BOARDS, "this broker does not know what was asked to be listed")),
    NUMBER(list, after),
    NUMBER(list, settled, UNLESS(0)),
    NUMBER(list, most),
};
CODEC_TABLE(list, list);

CODEC_SINGLE(release, struct request, Release, release, release_lease, lease);
CODEC_SINGLE(revoke, struct request, Revoke, revoke, revoke_lease, lease);
CODEC_SINGLE(cancel, struct request, Cancel, cancel, cancel_request, request);
CODEC_SINGLE(trimmed, struct request, Trimmed, trimmed, trimmed_bytes, bytes);
CODEC_SINGLE(why, struct request, Why, why, why_session, session);

CODEC_EMPTY(status, status);
CODEC_EMPTY(ping, ping);
CODEC_EMPTY(audit, audit);
CODEC_EMPTY(bye, bye);
CODEC_EMPTY(reload, reload);
CODEC_EMPTY(metrics, metrics);

/* ---- the kinds of requests ---- */

#define BODY(CASE, t)      CODEC_BODY(MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_##CASE, struct request, t, t)
#define BARE_BODY(CASE, t) CODEC_BARE_BODY(MEMBROKER__V1__CLIENT_MESSAGE__REQUEST_##CASE, t)

const struct codec_body codec_request_bodies[REQUEST_KINDS] = {
    [REQUEST_HELLO] = BODY(HELLO, hello),
    [REQUEST_ACQUIRE] = BODY(ACQUIRE, acquire),
    [REQUEST_EXTEND] = BODY(EXTEND, extend),
    [REQUEST_RELEASE] = BARE_BODY(RELEASE, release),
    [REQUEST_RENEW] = BODY(RENEW, renew),
    [REQUEST_STATUS] = BARE_BODY(STATUS, status),
    [REQUEST_LIST] = BODY(LIST, list),
    [REQUEST_REVOKE] = BARE_BODY(REVOKE, revoke),
    [REQUEST_PING] = BARE_BODY(PING, ping),
    [REQUEST_AUDIT] = BARE_BODY(AUDIT, audit),
    [REQUEST_BYE] = BARE_BODY(BYE, bye),
    [REQUEST_CANCEL] = BARE_BODY(CANCEL, cancel),
    [REQUEST_TRIMMED] = BARE_BODY(TRIMMED, trimmed),
    [REQUEST_WHY] = BARE_BODY(WHY, why),
    [REQUEST_RELOAD] = BARE_BODY(RELOAD, reload),
    [REQUEST_RESERVE] = BODY(RESERVE, reserve),
    [REQUEST_ATTACH] = BODY(ATTACH, attach),
    [REQUEST_UNRESERVE] = BODY(UNRESERVE, unreserve),
    [REQUEST_SUSPEND] = BODY(SUSPEND, suspend),
    [REQUEST_METRICS] = BARE_BODY(METRICS, metrics),
    [REQUEST_PUBLISH] = BODY(PUBLISH, publish),
    [REQUEST_ATTACH_BLOCK] = BODY(ATTACH_BLOCK, attach_block),
    [REQUEST_UNPUBLISH] = BODY(UNPUBLISH, unpublish),
    [REQUEST_PUT] = BODY(PUT, put),
    [REQUEST_GET] = BODY(GET, get),
    [REQUEST_OPEN_BOARD] = BODY(OPEN_BOARD, open_board),
    [REQUEST_REMOVE] = BODY(REMOVE, remove),
    [REQUEST_WATCH_BLOCKS] = BODY(WATCH_BLOCKS, watch_blocks),
};
_Static_assert(REQUEST_KINDS == 29, "a new kind needs a line above");

size_t codec_request_frame_max(const struct request *request)
{
    return FRAME_HEADER_BYTES + codec_bytes_max(&codec_request_bodies[request->kind]);
}

int codec_encode_request(const struct request *request, struct codec_arena *arena, uint8_t *frame)
{
    ClientMessage message = MEMBROKER__V1__CLIENT_MESSAGE__INIT;
    const struct codec_body *body = &codec_request_bodies[request->kind];
    codec_arena_empty(arena);
    message.has_id = request->id != 0;
    message.id = request->id;
    message.request_case = (Membroker__V1__ClientMessage__RequestCase)body->number;
    message.hello = codec_encode_body(body, request, arena); /* or another member of the union */
    return message.hello || !body->table ? codec_pack(&message.base, codec_is_short(body), frame) : -EMSGSIZE;
}

int codec_decode_request(const uint8_t *payload, size_t bytes, struct codec_arena *arena, struct request *ret,
                         const char **ret_fault)
{
    codec_arena_empty(arena);
    ProtobufCAllocator allocator = codec_arena_allocator(arena);
    ClientMessage *message = membroker__v1__client_message__unpack(&allocator, bytes, payload);
    if (!message) {
        return -EBADMSG;
    }
    size_t kind = codec_find_body(codec_request_bodies, REQUEST_KINDS, message->request_case);
    *ret = (struct request){.id = message->id, .kind = (enum request_kind)kind};
    const char *fault = codec_decode_body(&codec_request_bodies[kind], message->hello, arena, ret);
    if (codec_text_has_nul(&membroker__v1__client_message__descriptor, payload, bytes)) {
        fault = "a text in the request has a NUL byte in it; leave that out";
    }
    if (fault) {
        *ret_fault = fault;
        return -EINVAL;
    }
    return 0;
}
