/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/publishing.h"

#include "proto/base/text.h"

uint64_t publishable(struct model *model, int peer)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = MIB, .location = LOCATION_RAM, .ttl_ms = 60000, .numa_node = -1, .publishable = true};
    return granted(model_request(model, peer, &request));
}

const struct reply *publish_lease(struct model *model, int peer, uint64_t lease, const char *name,
                                  enum lifetime lifetime, uint32_t keep_ms)
{
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish =
        (struct publish_request){.lease = lease, .lifetime = lifetime, .access = BLOCK_ACCESS_ALL, .keep_ms = keep_ms};
    text_copy(request.publish.name, MESSAGE_NAME_SIZE, name);
    return model_request(model, peer, &request);
}

uint64_t publish_block(struct model *model, int peer, const char *name, enum lifetime lifetime)
{
    uint64_t lease = publishable(model, peer);
    cr_assert_eq(publish_lease(model, peer, lease, name, lifetime, 0)->kind, REPLY_DONE);
    return lease;
}

void leave_block(struct model *model, int peer, const char *name, enum lifetime lifetime)
{
    model_release(model, peer, publish_block(model, peer, name, lifetime));
}

struct request attachment(const char *name, uint32_t wait_ms)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK,
                              .attach_block = {.has_owner = true, .owner = 1000, .wait_ms = wait_ms}};
    text_copy(request.attach_block.name, MESSAGE_NAME_SIZE, name);
    return request;
}

const struct reply *attach_block(struct model *model, int peer, const char *name, uint32_t wait_ms)
{
    struct request request = attachment(name, wait_ms);
    return model_request(model, peer, &request);
}

const struct reply *unpublish_block(struct model *model, int peer, const char *name)
{
    struct request request = {.kind = REQUEST_UNPUBLISH, .unpublish = {.has_owner = true, .owner = 1000}};
    text_copy(request.unpublish.name, MESSAGE_NAME_SIZE, name);
    return model_request(model, peer, &request);
}
