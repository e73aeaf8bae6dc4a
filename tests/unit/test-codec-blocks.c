/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of the messages about blocks goes there and back, and none is taken for another. */
#include <errno.h>
#include <string.h>

#include "tests/unit/reply_back.h"

TestSuite(codec_blocks);

static struct codec_arena arena;
static const uint8_t some_bytes[] = {0, 1, 0xff, 0};
static const uint8_t many_bytes[MESSAGE_METADATA_MAX + 1];

/* Encodes and decodes. Returns codec_decode_request()'s result. */
static int decode_again(const struct request *request, struct request *ret, const char **ret_fault)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    int bytes = codec_encode_request(request, &arena, frame);
    cr_assert_gt(bytes, 0);
    return codec_decode_request(frame + FRAME_HEADER_BYTES, (size_t)bytes - FRAME_HEADER_BYTES, &arena, ret, ret_fault);
}

static struct request back_of(const struct request *request)
{
    struct request ret;
    const char *fault = "";
    cr_assert_eq(decode_again(request, &ret, &fault), 0, "%s", fault);
    cr_assert_eq(ret.kind, request->kind);
    return ret;
}

static void expect_bytes(const struct message_bytes *back, const struct message_bytes *sent)
{
    cr_assert_eq(back->count, sent->count);
    cr_expect_eq(memcmp(back->data, sent->data, sent->count), 0);
}

Test(codec_blocks, a_publishable_segment)
{
    struct request request = {.kind = REQUEST_ACQUIRE, .acquire = {.bytes = 1, .publishable = true}};
    cr_expect(back_of(&request).acquire.publishable);
    request.acquire.publishable = false;
    cr_expect_not(back_of(&request).acquire.publishable);
}

Test(codec_blocks, publish)
{
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){
        1, "n", LIFETIME_CACHE, 2, BLOCK_ACCESS_GROUP, 3, true, "t", {some_bytes, sizeof some_bytes}};
    for (int i = 0; i < 2; i++) {
        struct request answer = back_of(&request);
        const struct publish_request *back = &answer.publish, *sent = &request.publish;
        SAME(lease);
        SAME_TEXT(name);
        SAME(lifetime);
        SAME(keep_ms);
        SAME(access);
        SAME(gid);
        SAME(replace);
        SAME_TEXT(type);
        expect_bytes(&back->metadata, &sent->metadata);
        request.publish = (struct publish_request){.lease = 5, .metadata = {some_bytes, 1}};
    }
}

Test(codec_blocks, attach_and_unpublish)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK, .attach_block = {true, 0, "n", 1, 2}};
    for (int i = 0; i < 2; i++) {
        struct request answer = back_of(&request);
        const struct attach_block_request *back = &answer.attach_block, *sent = &request.attach_block;
        SAME(has_owner);
        SAME(owner);
        SAME_TEXT(name);
        SAME(wait_ms);
        SAME(ttl_ms);
        request.attach_block = (struct attach_block_request){.name = "m"};
    }
    request = (struct request){.kind = REQUEST_REMOVE, .remove = {true, 7, "n"}};
    for (int i = 0; i < 2; i++) {
        struct request answer = back_of(&request);
        const struct remove_request *back = &answer.remove, *sent = &request.remove;
        SAME(has_owner);
        SAME(owner);
        SAME_TEXT(name);
        request.remove = (struct remove_request){.name = "m"};
    }
    request = (struct request){.kind = REQUEST_UNPUBLISH, .unpublish = {true, 7, "n"}};
    for (int i = 0; i < 2; i++) {
        struct request answer = back_of(&request);
        const struct unpublish_request *back = &answer.unpublish, *sent = &request.unpublish;
        SAME(has_owner);
        SAME(owner);
        SAME_TEXT(name);
        request.unpublish = (struct unpublish_request){.name = "m"};
    }
}

Test(codec_blocks, watch)
{
    struct request request = {.kind = REQUEST_WATCH_BLOCKS, .watch_blocks = {true, 7, "pre", 8, "prefix", 9}};
    for (int i = 0; i < 2; i++) {
        struct request answer = back_of(&request);
        const struct watch_blocks_request *back = &answer.watch_blocks, *sent = &request.watch_blocks;
        SAME(has_owner);
        SAME(owner);
        SAME_TEXT(prefix);
        SAME(after);
        SAME_TEXT(after_name);
        SAME(wait_ms);
        request.watch_blocks = (struct watch_blocks_request){.prefix = ""};
    }
}

static void expect_fault(struct request request, const char *word)
{
    struct request back;
    const char *fault = "";
    request.id = 77;
    cr_expect_eq(decode_again(&request, &back, &fault), -EINVAL, "%s", word);
    cr_expect(strstr(fault, word), "%s: %s", word, fault);
    cr_expect_eq(back.id, 77);
}

Test(codec_blocks, values_out_of_range_are_invalid)
{
    struct request good = {.kind = REQUEST_PUBLISH, .publish = {.name = "n"}}, bad = good;
    bad.publish.lifetime = (enum lifetime)(LIFETIME_CACHE + 1);
    expect_fault(bad, "lifetime");
    bad = good;
    bad.publish.access = (enum block_access)(BLOCK_ACCESS_ALL + 1);
    expect_fault(bad, "access");
    bad = good;
    memcpy(bad.publish.name, "a\nb", 4);
    expect_fault(bad, "the name is");
    bad = good;
    memcpy(bad.publish.type, "a\nb", 4);
    expect_fault(bad, "the type is");
    bad = good;
    bad.publish.metadata = (struct message_bytes){many_bytes, sizeof many_bytes};
    expect_fault(bad, "metadata");
    bad.publish.metadata.count--;
    cr_expect_eq(back_of(&bad).publish.metadata.count, MESSAGE_METADATA_MAX);
    bad = (struct request){.kind = REQUEST_ATTACH_BLOCK, .attach_block = {.name = "a\nb"}};
    expect_fault(bad, "the name is");
    bad = (struct request){.kind = REQUEST_UNPUBLISH, .unpublish = {.name = "a\nb"}};
    expect_fault(bad, "the name is");
}

Test(codec_blocks, bad_prefixes)
{
    struct request bad = {.kind = REQUEST_WATCH_BLOCKS, .watch_blocks = {.prefix = "a\nb"}};
    expect_fault(bad, "the name is");
    bad.watch_blocks = (struct watch_blocks_request){.after_name = "a\nb"};
    expect_fault(bad, "the name is");
}

Test(codec_blocks, changes)
{
    static const struct block_change_entry entries[] = {{1, 2, END_REPLACED, "n", "t"}, {3, 4, END_NONE, "m", ""}};
    struct reply reply = {.kind = REPLY_BLOCK_CHANGES, .block_changes = {entries, 2, 5, true, true}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.block_changes.change_count, 2);
    cr_expect(answer.block_changes.revision == 5 && answer.block_changes.more && answer.block_changes.lost);
    for (size_t i = 0; i < 2; i++) {
        const struct block_change_entry *back = &answer.block_changes.changes[i], *sent = &entries[i];
        SAME(block);
        SAME(bytes);
        SAME(ended);
        SAME_TEXT(name);
        SAME_TEXT(type);
    }
    reply.block_changes = (struct block_changes_reply){.revision = 6};
    answer = reply_back(&reply);
    cr_expect(answer.block_changes.change_count == 0 && !answer.block_changes.more && !answer.block_changes.lost);
}

Test(codec_blocks, attached)
{
    struct reply reply = {.kind = REPLY_ATTACHED, .is_answer = true};
    reply.attached = (struct attached_reply){
        1, 2, 3, 4, 5, 6, true, LIFETIME_KEEP, LOCATION_MMAP, "t", {some_bytes, sizeof some_bytes}};
    struct reply answer = reply_back(&reply);
    const struct attached_reply *back = &answer.attached, *sent = &reply.attached;
    SAME(lease);
    SAME(block);
    SAME(bytes);
    SAME(ttl_ms);
    SAME(slot);
    SAME(generation);
    SAME(huge_pages);
    SAME(lifetime);
    SAME(location);
    SAME_TEXT(type);
    expect_bytes(&back->metadata, &sent->metadata);
    reply.attached.metadata = (struct message_bytes){NULL, 0};
    cr_expect_eq(reply_back(&reply).attached.metadata.count, 0);
}

Test(codec_blocks, why_a_block_ended)
{
    struct reply reply = {.kind = REPLY_ERROR, .error = {.code = ERROR_BLOCK_ENDED, .ended = END_EVICTED}};
    cr_expect_eq(reply_back(&reply).error.ended, END_EVICTED);
    reply.error = (struct error_reply){.code = ERROR_STILL_WRITABLE};
    cr_expect_eq(reply_back(&reply).error.ended, END_NONE);
}

Test(codec_blocks, a_listing)
{
    static const struct block_entry entries[] = {
        {1, 2, "n", "t", 3, 4, LOCATION_MMAP, LIFETIME_CACHE, BLOCK_ACCESS_GROUP, 5, 6, 7, 8, END_REPLACED},
        {9, 10, "m", "", 11, 12, LOCATION_RAM, LIFETIME_SESSION, BLOCK_ACCESS_USER, 0, 13, UINT64_MAX, 0, END_NONE},
    };
    struct reply reply = {.kind = REPLY_LISTING, .listing = {.blocks = entries, .block_count = 2}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.block_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct block_entry *back = &answer.listing.blocks[i], *sent = &entries[i];
        SAME(block);
        SAME(owner);
        SAME_TEXT(name);
        SAME_TEXT(type);
        SAME(bytes);
        SAME(views);
        SAME(lifetime);
        SAME(location);
        SAME(access);
        SAME(gid);
        SAME(age_ms);
        SAME(keep_ms);
        SAME(publisher);
        SAME(ended);
    }
}

Test(codec_blocks, a_listing_of_boards)
{
    static const struct board_entry entries[] = {
        {1, 2, "training", 3, 4, 5, 6, 7, 8, true},
        {9, 10, "default", 0, 0, 0, 0, 0, 11, false},
    };
    struct reply reply = {.kind = REPLY_LISTING, .listing = {.boards = entries, .board_count = 2}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.board_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct board_entry *back = &answer.listing.boards[i], *sent = &entries[i];
        SAME(board);
        SAME(owner);
        SAME_TEXT(class);
        SAME(objects);
        SAME(object_bytes);
        SAME(group_objects);
        SAME(all_objects);
        SAME(kept_objects);
        SAME(bytes);
        SAME(has_ended);
    }
}

Test(codec_blocks, what_becomes_free)
{
    struct reply reply = {.kind = REPLY_ERROR, .error = {.code = ERROR_LIMIT, .comes_free = true}};
    cr_expect(reply_back(&reply).error.comes_free);
    reply.error.comes_free = false;
    cr_expect(!reply_back(&reply).error.comes_free);
}

Test(codec_blocks, figures_of_objects)
{
    struct reply reply = {.kind = REPLY_STATUS, .status.objects = {1, 2, 3, 4, 5, 6}};
    struct reply answer = reply_back(&reply);
    const struct object_figures *back = &answer.status.objects, *sent = &reply.status.objects;
    SAME(objects);
    SAME(bytes);
    SAME(board_bytes);
    SAME(put);
    SAME(refused);
    SAME(got);
}
