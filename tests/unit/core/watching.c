/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/watching.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "tests/unit/core/publishing.h"

struct model *model;

void watching_begin(void)
{
    model = model_new(0, 2048 * MIB, 0);
    model_open_as(model, OWNER, "a", 1000);
    model_open_as(model, OTHER, "b", 1001);
    model_open_as(model, TWIN, "c", 1000);
    model->options.settings.sharing =
        (struct sharing_settings){.blocks_max = 1000, .watches_max = 3, .watches_per_user_max = 100, .grace_ms = 1000};
    model_configure(model);
}

void watching_end(void)
{
    cr_expect_leq(model->largest_step, EFFECTS_MAX);
    model_free(model);
}

uint64_t ask_to_watch(int peer, const char *prefix, uint64_t after, const char *after_name, uint32_t wait_ms)
{
    struct request request = {.kind = REQUEST_WATCH_BLOCKS,
                              .watch_blocks = {.has_owner = true, .owner = 1000, .after = after, .wait_ms = wait_ms}};
    text_copy(request.watch_blocks.prefix, MESSAGE_NAME_SIZE, prefix);
    text_copy(request.watch_blocks.after_name, MESSAGE_NAME_SIZE, after_name);
    (void)model_request(model, peer, &request);
    model_finish(model);
    return request.id;
}

const struct block_changes_reply *answered(uint64_t request)
{
    const struct reply *reply = model_answer(model, request);
    cr_assert(reply && reply->kind == REPLY_BLOCK_CHANGES, "%s", reply ? reply->error.sentence : "no answer");
    return &reply->block_changes;
}

const struct block_changes_reply *list(int peer, const char *prefix)
{
    return answered(ask_to_watch(peer, prefix, 0, "", 0));
}

void expect_changes(const struct block_changes_reply *reply, const char *expected)
{
    char told[400] = "";
    for (size_t i = 0; i < reply->change_count; i++) {
        const struct block_change_entry *change = &reply->changes[i];
        size_t length = strlen(told);
        if (change->ended) {
            (void)snprintf(told + length, sizeof told - length, "-%s:%d ", change->name, (int)change->ended);
        } else {
            (void)snprintf(told + length, sizeof told - length, "+%s ", change->name);
        }
    }
    cr_expect_str_eq(told, expected);
}

uint64_t publish_for(const char *name, enum block_access access, uint32_t gid, bool replace)
{
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = publishable(model, OWNER),
                                               .lifetime = LIFETIME_KEEP,
                                               .access = access,
                                               .gid = gid,
                                               .replace = replace,
                                               .type = "array"};
    text_copy(request.publish.name, MESSAGE_NAME_SIZE, name);
    cr_assert_eq(model_request(model, OWNER, &request)->kind, REPLY_DONE);
    return request.publish.lease;
}

void publish(const char *name)
{
    model_release(model, OWNER, publish_for(name, BLOCK_ACCESS_ALL, 0, false));
}
