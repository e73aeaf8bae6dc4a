/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of every message goes there and back, and none is taken for another. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "proto/codec.h"

TestSuite(codec_fields);

static struct codec_arena arena;
static uint8_t frame[FRAME_BYTES_MAX];

#define SAME(field)      cr_expect_eq(back->field, sent->field, "%s", #field)
#define SAME_TEXT(field) cr_expect_str_eq(back->field, sent->field, "%s", #field)

static const uint8_t *payload_of(int bytes, size_t *ret_size)
{
    const uint8_t *payload = NULL;
    cr_assert(bytes > 0);
    cr_expect_eq(arena.used % 16, 0, "what comes of the arena is aligned");
    cr_assert_eq(frame_open(frame, (size_t)bytes, &payload, ret_size), 0);
    return payload;
}

static int decode_request(const struct request *request, struct request *ret, const char **ret_fault)
{
    size_t size;
    const uint8_t *payload = payload_of(codec_encode_request(request, &arena, frame), &size);
    return codec_decode_request(payload, size, &arena, ret, ret_fault);
}

static struct request request_back(const struct request *request)
{
    struct request back;
    const char *fault = NULL;
    cr_assert_eq(decode_request(request, &back, &fault), 0, "%s", fault);
    cr_assert_eq(back.kind, request->kind);
    return back;
}

/* ---- requests ---- */

Test(codec_fields, hello)
{
    struct request request = {.id = 5, .kind = REQUEST_HELLO};
    struct hello_request *sent = &request.hello;
    *sent = (struct hello_request){.protocol_min = 2,
                                   .protocol_max = 3,
                                   .name = "n",
                                   .heap_bytes = 4,
                                   .max_bytes = 5,
                                   .max_physical_bytes = 6,
                                   .monitor = true,
                                   .resume = true,
                                   .session = 7};
    memset(sent->token.bytes, 8, sizeof sent->token.bytes);
    struct request answer = request_back(&request);
    const struct hello_request *back = &answer.hello;
    SAME(protocol_min);
    SAME(protocol_max);
    SAME_TEXT(name);
    SAME(heap_bytes);
    SAME(max_bytes);
    SAME(max_physical_bytes);
    SAME(monitor);
    SAME(resume);
    SAME(session);
    cr_expect_arr_eq(back->token.bytes, sent->token.bytes, sizeof sent->token.bytes);
}

Test(codec_fields, a_hello_with_absent_fields)
{
    struct request request = {.kind = REQUEST_HELLO};
    struct hello_request *sent = &request.hello;
    sent->heap_bytes = sent->max_bytes = sent->max_physical_bytes = LIMIT_DEFAULT;
    struct request answer = request_back(&request);
    const struct hello_request *back = &answer.hello;
    cr_expect_eq(answer.id, 0);
    SAME(heap_bytes);
    SAME(max_bytes);
    SAME(max_physical_bytes);
    SAME(monitor);
    SAME(resume);
    SAME_TEXT(name);
}

static void expect_acquire(const struct acquire_request *sent)
{
    struct request request = {.id = 1, .kind = REQUEST_ACQUIRE, .acquire = *sent};
    struct request answer = request_back(&request);
    const struct acquire_request *back = &answer.acquire;
    SAME(bytes);
    SAME(location);
    SAME(ttl_ms);
    SAME_TEXT(name);
    SAME(has_huge_pages);
    SAME(huge_pages);
    SAME(numa_node);
    SAME(interleave);
    SAME(prefault);
    SAME(wait_ms);
    SAME(learned);
    SAME(use_learned);
    SAME_TEXT(file);
    SAME(repeats);
}

Test(codec_fields, acquire)
{
    struct acquire_request all = {.bytes = 2,
                                  .location = LOCATION_MMAP,
                                  .ttl_ms = 3,
                                  .name = "n",
                                  .has_huge_pages = true,
                                  .huge_pages = HUGE_PAGES_TRY,
                                  .numa_node = 0,
                                  .interleave = true,
                                  .prefault = true,
                                  .wait_ms = 5,
                                  .learned = true,
                                  .use_learned = true,
                                  .file = "f",
                                  .repeats = 6};
    struct acquire_request nothing = {.numa_node = -1};
    expect_acquire(&all);
    expect_acquire(&nothing);
    nothing.interleave = true;
    expect_acquire(&nothing);
    nothing = (struct acquire_request){.numa_node = -1, .learned = true};
    expect_acquire(&nothing);
    nothing = (struct acquire_request){.numa_node = -1, .use_learned = true};
    expect_acquire(&nothing);
    nothing = (struct acquire_request){.numa_node = INT32_MAX, .prefault = true};
    expect_acquire(&nothing);
}

Test(codec_fields, extend)
{
    struct request request = {.id = 1, .kind = REQUEST_EXTEND, .extend = {2, 3, true, 4, 5}};
    const struct extend_request *sent = &request.extend;
    for (int i = 0; i < 2; i++) {
        struct request answer = request_back(&request);
        const struct extend_request *back = &answer.extend;
        SAME(lease);
        SAME(bytes);
        SAME(prefault);
        SAME(wait_ms);
        SAME(repeats);
        request.extend = (struct extend_request){.lease = 9};
    }
}

Test(codec_fields, renew)
{
    static const struct lease_use use[] = {{1, 2}, {3, 4}};
    struct request request = {.id = 1, .kind = REQUEST_RENEW, .renew = {use, 2}};
    struct request answer = request_back(&request);
    cr_assert_eq(answer.renew.use_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct lease_use *sent = &use[i], *back = &answer.renew.use[i];
        SAME(lease);
        SAME(used_bytes);
    }
    request.renew.use_count = 0;
    cr_expect_eq(request_back(&request).renew.use_count, 0);
}

Test(codec_fields, requests_with_a_single_number)
{
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = 11};
    cr_expect_eq(request_back(&request).release_lease, 11);
    request = (struct request){.kind = REQUEST_REVOKE, .revoke_lease = 12};
    cr_expect_eq(request_back(&request).revoke_lease, 12);
    request = (struct request){.kind = REQUEST_CANCEL, .cancel_request = 13};
    cr_expect_eq(request_back(&request).cancel_request, 13);
    request = (struct request){.kind = REQUEST_TRIMMED, .trimmed_bytes = 14};
    cr_expect_eq(request_back(&request).trimmed_bytes, 14);
    request = (struct request){.kind = REQUEST_WHY, .why_session = 15};
    cr_expect_eq(request_back(&request).why_session, 15);
    request = (struct request){.kind = REQUEST_LIST, .list = {.what = LIST_OWN_LEASES, .after = 16, .most = 17}};
    cr_expect_eq(request_back(&request).list.what, LIST_OWN_LEASES);
    cr_expect_eq(request_back(&request).list.after, 16);
    cr_expect_eq(request_back(&request).list.most, 17);
    static const enum request_kind empty[] = {REQUEST_STATUS, REQUEST_PING, REQUEST_AUDIT, REQUEST_BYE};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        request = (struct request){.id = 17, .kind = empty[i]};
        cr_expect_eq(request_back(&request).id, 17);
    }
}

/* ---- reservations ---- */

static void expect_groups(const struct control_group_list *back, const struct control_group_list *sent)
{
    cr_assert_eq(back->count, sent->count);
    for (size_t i = 0; i < sent->count; i++) {
        cr_expect_str_eq(back->paths[i], sent->paths[i]);
    }
}

static const char *const some_paths[] = {"/jobs/7", "", "/a b"};

Test(codec_fields, reserve)
{
    struct request request = {.kind = REQUEST_RESERVE};
    struct reserve_request *full = &request.reserve;
    *full = (struct reserve_request){.terms = {"job", 1, 2, true, 0, true, true, 0, 0, 3}, .groups = {some_paths, 3}};
    for (int i = 0; i < 2; i++) {
        struct request answer = request_back(&request);
        const struct reservation_terms *back = &answer.reserve.terms, *sent = &full->terms;
        SAME_TEXT(name);
        SAME(bytes);
        SAME(mapped_bytes);
        SAME(has_uid);
        SAME(uid);
        SAME(has_priority);
        SAME(priority);
        SAME(has_weight);
        SAME(weight);
        SAME(expires_ms);
        expect_groups(&answer.reserve.groups, &full->groups);
        *full = (struct reserve_request){.terms = {.bytes = 5}};
    }
}

Test(codec_fields, attach_and_unreserve)
{
    struct request request = {.kind = REQUEST_ATTACH, .attach = {"job", {some_paths, 3}}};
    struct request answer = request_back(&request);
    cr_expect_str_eq(answer.attach.name, "job");
    expect_groups(&answer.attach.groups, &request.attach.groups);
    request = (struct request){.kind = REQUEST_UNRESERVE, .unreserve = {"job"}};
    cr_expect_str_eq(request_back(&request).unreserve.name, "job");
    request = (struct request){.kind = REQUEST_SUSPEND, .suspend = {"job", true}};
    cr_expect_str_eq(request_back(&request).suspend.name, "job");
    cr_expect(request_back(&request).suspend.ends);
}

/* ---- invalid values ---- */

static void expect_fault(struct request request, const char *word)
{
    struct request back;
    const char *fault = "";
    request.id = 77;
    cr_expect_eq(decode_request(&request, &back, &fault), -EINVAL, "%s", word);
    cr_expect(strstr(fault, word), "%s: %s", word, fault);
    cr_expect_eq(back.id, 77);
    cr_expect_eq(back.kind, request.kind);
}

Test(codec_fields, values_out_of_range_are_invalid)
{
    struct request acquire = {.kind = REQUEST_ACQUIRE, .acquire = {.numa_node = -1}};
    struct request list = {.kind = REQUEST_LIST, .list = {.what = (enum list_what)(LIST_BOARDS + 1)}};
    struct request hello = {.kind = REQUEST_HELLO, .hello = {.name = "a\nb"}};
    struct request bad = acquire;
    bad.acquire.location = (enum location)(LOCATION_AUTO + 1);
    expect_fault(bad, "location");
    bad.acquire.location = (enum location) - 1;
    expect_fault(bad, "location");
    bad = acquire;
    bad.acquire.has_huge_pages = true;
    bad.acquire.huge_pages = (enum huge_pages)(HUGE_PAGES_ALWAYS + 1);
    expect_fault(bad, "huge-page");
    bad.acquire.huge_pages = (enum huge_pages) - 1;
    expect_fault(bad, "huge-page");
    bad = acquire;
    memcpy(bad.acquire.name, "a\nb", 4);
    expect_fault(bad, "the name is");
    bad = acquire;
    memcpy(bad.acquire.file, "a\nb", 4);
    expect_fault(bad, "the file's name");
    expect_fault(list, "listed");
    list.list.what = (enum list_what) - 1;
    expect_fault(list, "listed");
    expect_fault(hello, "the name is");
}

Test(codec_fields, texts_of_reservations_that_do_not_show_are_invalid)
{
    static const char *const controls[] = {"/good", "/a\x01"}, *const bytes[] = {"/\x80"};
    struct request request = {.kind = REQUEST_RESERVE};
    request.reserve.groups = (struct control_group_list){controls, 2};
    expect_fault(request, "a control group's path");
    request.reserve = (struct reserve_request){.terms = {.name = "a\nb"}};
    expect_fault(request, "the name is");
    request = (struct request){.kind = REQUEST_ATTACH, .attach = {"job", {bytes, 1}}};
    expect_fault(request, "a control group's path");
    request.attach = (struct attach_request){.name = "a\nb"};
    expect_fault(request, "the name is");
    request = (struct request){.kind = REQUEST_UNRESERVE, .unreserve = {"a\nb"}};
    expect_fault(request, "the name is");
}

/* What this encoder does not write. */
static int decode_bytes(const char *bytes, size_t size, const char **ret_fault)
{
    struct request back;
    return codec_decode_request((const uint8_t *)bytes, size, &arena, &back, ret_fault);
}

Test(codec_fields, too_large_a_node_and_too_short_a_token_are_invalid)
{
    const char *fault = "";
    static const char node[] = "\x1a\x06\x30\x80\x80\x80\x80\x08"; /* acquire {numa_node: 2^31} */
    static const char no_token[] = "\x12\x02\x40\x05";             /* hello {resume_session: 5} */
    static const char short_token[] = "\x12\x07\x40\x05\x4a\x03xyz";
    cr_expect_eq(decode_bytes(node, sizeof node - 1, &fault), -EINVAL);
    cr_expect(strstr(fault, "NUMA"));
    cr_expect_eq(decode_bytes(no_token, sizeof no_token - 1, &fault), -EINVAL);
    cr_expect(strstr(fault, "token"));
    fault = "";
    cr_expect_eq(decode_bytes(short_token, sizeof short_token - 1, &fault), -EINVAL);
    cr_expect(strstr(fault, "token"));
}

Test(codec_fields, too_many_uses_are_invalid)
{
    static struct lease_use use[MESSAGE_USE_MAX + 1];
    struct request back, request = {.id = 1, .kind = REQUEST_RENEW, .renew = {use, MESSAGE_USE_MAX + 1}};
    const char *fault = "";
    cr_expect_eq(decode_request(&request, &back, &fault), -EINVAL);
    cr_expect(strstr(fault, "too many leases"));
}

/* ---- what does not fit ---- */

Test(codec_fields, a_message_that_is_too_long_is_not_encoded)
{
    static struct lease_use use[40000];
    static struct lease_entry leases[3000];
    static struct session_entry sessions[6000];
    static struct queue_entry queue[6000];
    static struct why_entry why[3000];
    static struct lease_end ended[20000];
    for (size_t i = 0; i < sizeof use / sizeof *use; i++) {
        use[i] = (struct lease_use){UINT64_MAX, UINT64_MAX};
    }
    struct request request = {.kind = REQUEST_RENEW, .renew = {use, 4000}};
    cr_expect_eq(codec_encode_request(&request, &arena, frame), -EMSGSIZE, "longer than a message");
    request.renew.use_count = 40000;
    cr_expect_eq(codec_encode_request(&request, &arena, frame), -EMSGSIZE, "more than the arena");
    request.renew.use_count = SIZE_MAX / 2;
    cr_expect_eq(codec_encode_request(&request, &arena, frame), -EMSGSIZE, "more than can be counted");
    struct reply reply = {.kind = REPLY_LISTING, .listing = {.leases = leases, .lease_count = 3000}};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply.listing = (struct listing_reply){.sessions = sessions, .session_count = 6000};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply.listing = (struct listing_reply){.queue = queue, .queue_count = 6000};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply.listing = (struct listing_reply){.lease_count = SIZE_MAX / 64};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply.listing = (struct listing_reply){.session_count = SIZE_MAX / 64};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply.listing = (struct listing_reply){.queue_count = SIZE_MAX / 64};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply = (struct reply){.kind = REPLY_WHY, .why = {why, 3000}};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply.why.count = SIZE_MAX / 64;
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply = (struct reply){.kind = REPLY_RENEWED, .renewed = {1, ended, 20000}};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply.renewed.ended_count = SIZE_MAX / 64;
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
    reply = (struct reply){.kind = REPLY_AUDIT, .audit = {.difference_count = SIZE_MAX / 64}};
    cr_expect_eq(codec_encode_reply(&reply, &arena, frame), -EMSGSIZE);
}

/* A payload of `count` times the same few bytes in a field of the given kind. */
static int decode_many(uint8_t field, uint8_t entry, size_t count)
{
    static uint8_t payload[MESSAGE_BYTES_MAX];
    struct reply back;
    size_t at = 0, bytes = 2 * count;
    payload[at++] = (uint8_t)(field << 3 | 2);
    for (; bytes >= 0x80; bytes >>= 7) {
        payload[at++] = (uint8_t)(bytes | 0x80);
    }
    payload[at++] = (uint8_t)bytes;
    for (size_t i = 0; i < count; i++) {
        payload[at++] = (uint8_t)(entry << 3 | 2);
        payload[at++] = 0;
    }
    return codec_decode_reply(payload, at, &arena, &back);
}

/* Empty entries are small on the wire, and not in memory. */
Test(codec_fields, a_message_that_exceeds_the_arena_is_not_decoded)
{
    for (uint8_t entry = 1; entry <= 4; entry++) {
        if (entry != 3) {
            cr_expect_eq(decode_many(9, entry, 200), 0, "listing of %d", entry);
            cr_expect_eq(decode_many(9, entry, 2200), -EBADMSG, "listing of %d", entry);
        }
    }
    cr_expect_eq(decode_many(12, 1, 200), 0, "why");
    cr_expect_eq(decode_many(12, 1, 1200), -EBADMSG, "why");
    cr_expect_eq(decode_many(7, 2, 2000), 0, "renewed");
    cr_expect_eq(decode_many(7, 2, 8000), -EBADMSG, "renewed");
}
