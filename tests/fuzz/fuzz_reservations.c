/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz_reservations.h"

#include "proto/base/text.h"
#include "tests/fuzz/fuzz_limits.h"

static const char *const names[] = {"r0", "r1", "r2", "default"};

bool fuzz_is_about_reservations(enum request_kind kind)
{
    return kind == REQUEST_RESERVE || kind == REQUEST_ATTACH || kind == REQUEST_UNRESERVE || kind == REQUEST_SUSPEND;
}

static void take_name(char ret[MESSAGE_NAME_SIZE], struct fuzz_input *bytes)
{
    text_copy(ret, MESSAGE_NAME_SIZE, names[fuzz_below(bytes, 4)]);
}

static struct control_group_list take_groups(struct fuzz_input *bytes)
{
    static const char *const paths[] = {"/jobs.slice", "/jobs.slice/jobs-1.slice", "/",
                                        "/x",          "/jobs.slice/../x",         "/jobs.slice/jobs-2.slice"};
    const char *const *first = &paths[fuzz_below(bytes, 3)];
    return (struct control_group_list){first, fuzz_below(bytes, 4)};
}

static void fill_reserve(struct reserve_request *reserve, struct fuzz_input *bytes)
{
    uint64_t flags = fuzz_take(bytes, 1);
    struct reservation_terms *terms = &reserve->terms;
    *terms = (struct reservation_terms){
        .bytes = fuzz_size(bytes), .has_uid = flags & 2, .has_priority = flags & 4, .has_weight = flags & 8};
    terms->mapped_bytes = flags & 1 ? fuzz_size(bytes) : 0;
    terms->uid = flags & 2 ? fuzz_users[fuzz_below(bytes, FUZZ_USERS)] : 0;
    terms->priority = flags & 4 ? (uint32_t)fuzz_take(bytes, 2) : 0;
    terms->weight = flags & 8 ? (uint32_t)fuzz_take(bytes, 2) : 0;
    terms->expires_ms = flags & 16 ? (uint32_t)fuzz_take(bytes, 2) : 0;
    reserve->groups = take_groups(bytes);
    take_name(terms->name, bytes);
}

void fuzz_fill_reservation(struct request *request, struct fuzz_input *bytes)
{
    if (request->kind == REQUEST_RESERVE) {
        fill_reserve(&request->reserve, bytes);
    } else if (request->kind == REQUEST_ATTACH) {
        request->attach.groups = take_groups(bytes);
        take_name(request->attach.name, bytes);
    } else if (request->kind == REQUEST_SUSPEND) {
        request->suspend.ends = fuzz_choice(bytes);
        take_name(request->suspend.name, bytes);
    } else {
        take_name(request->unreserve.name, bytes);
    }
}

void fuzz_empty_reservations(struct model *model, struct fuzz_input *bytes)
{
    uint64_t numbers[] = {fuzz_take(bytes, 1), fuzz_take(bytes, 1)};
    const struct input input = {.kind = INPUT_EMPTIED, .emptied = {numbers, 2}};
    struct reservation_groups given_up;
    if (fuzz_choice(bytes) && broker_next_given_up(model->broker, 0, &given_up)) {
        numbers[0] = given_up.reservation;
    }
    model_feed(model, &input);
}

/* ---- blocks ---- */

enum { BLOCK_NAMES = 3 };
static const char *const block_names[BLOCK_NAMES] = {"a", "b", "c"};

static void fill_publish(struct publish_request *publish, uint64_t lease, struct fuzz_input *bytes)
{
    static const uint8_t metadata[16] = "a schema";
    *publish = (struct publish_request){.lease = lease,
                                        .lifetime = (enum lifetime)fuzz_below(bytes, 3),
                                        .keep_ms = fuzz_below(bytes, 16) == 0 ? (uint32_t)fuzz_take(bytes, 2) : 0,
                                        .access = (enum block_access)fuzz_below(bytes, 3),
                                        .gid = fuzz_below(bytes, 3),
                                        .replace = fuzz_choice(bytes),
                                        .metadata = {metadata, fuzz_below(bytes, 17)}};
    text_copy(publish->name, sizeof publish->name, block_names[fuzz_below(bytes, BLOCK_NAMES)]);
}

void fuzz_fill_block(struct request *request, uint64_t lease, struct fuzz_input *bytes)
{
    if (request->kind == REQUEST_PUBLISH) {
        fill_publish(&request->publish, lease, bytes);
    } else if (request->kind == REQUEST_ATTACH_BLOCK) {
        request->attach_block = (struct attach_block_request){fuzz_choice(bytes), 1000 + fuzz_below(bytes, 4), "",
                                                              (uint32_t)fuzz_take(bytes, 2), 0};
        text_copy(request->attach_block.name, MESSAGE_NAME_SIZE, block_names[fuzz_below(bytes, BLOCK_NAMES)]);
    } else if (request->kind == REQUEST_WATCH_BLOCKS) {
        request->watch_blocks = (struct watch_blocks_request){.has_owner = fuzz_choice(bytes),
                                                              .owner = 1000 + fuzz_below(bytes, 4),
                                                              .after = fuzz_below(bytes, 32),
                                                              .wait_ms = (uint32_t)fuzz_take(bytes, 2)};
        const char *prefix = fuzz_choice(bytes) ? "" : block_names[fuzz_below(bytes, BLOCK_NAMES)];
        text_copy(request->watch_blocks.prefix, MESSAGE_NAME_SIZE, prefix);
    } else if (request->kind == REQUEST_PUT) {
        static const uint8_t data[MESSAGE_OBJECT_MAX];
        uint32_t count = fuzz_below(bytes, fuzz_choice(bytes) ? 100 : MESSAGE_OBJECT_MAX);
        request->put = (struct put_request){.data = {data, count},
                                            .lifetime = (enum lifetime)fuzz_below(bytes, 2),
                                            .access = (enum block_access)fuzz_below(bytes, 3)};
        text_copy(request->put.name, MESSAGE_NAME_SIZE, block_names[fuzz_below(bytes, BLOCK_NAMES)]);
    } else if (request->kind == REQUEST_REMOVE) {
        request->remove = (struct remove_request){fuzz_choice(bytes), 1000 + fuzz_below(bytes, 4), ""};
        text_copy(request->remove.name, MESSAGE_NAME_SIZE, block_names[fuzz_below(bytes, BLOCK_NAMES)]);
    } else {
        request->unpublish = (struct unpublish_request){fuzz_choice(bytes), 1000 + fuzz_below(bytes, 4), ""};
        text_copy(request->unpublish.name, MESSAGE_NAME_SIZE, block_names[fuzz_below(bytes, BLOCK_NAMES)]);
    }
}
