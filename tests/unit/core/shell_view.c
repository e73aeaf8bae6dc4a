/* SPDX-License-Identifier: Apache-2.0 */
/* What the model of the shell has seen, and what is asked of it. */
#include "tests/unit/core/shell_model.h"

size_t model_events(const struct model *model, int peer, enum reply_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < model->reply_count; i++) {
        count += model->reply_peers[i] == (void *)(uintptr_t)(peer + 1) && !model->replies[i].is_answer &&
                 model->replies[i].kind == kind;
    }
    return count;
}

void model_forget(struct model *model)
{
    model->reply_count = 0;
}

uint64_t model_existing(const struct model *model, enum location location)
{
    uint64_t bytes = location == LOCATION_RAM ? model->boards.bytes : 0;
    for (size_t i = 0; i < model->segment_count; i++) {
        bytes += model->segments[i].location == location ? model->segments[i].bytes : 0;
    }
    return bytes;
}

struct status_reply model_status(const struct model *model)
{
    struct status_reply status = {0};
    broker_fill_status(model->broker, &status);
    return status;
}

const struct reply *model_answer(const struct model *model, uint64_t request_id)
{
    for (size_t i = model->reply_count; i > 0; i--) {
        if (model->replies[i - 1].is_answer && model->replies[i - 1].reply_to == request_id) {
            return &model->replies[i - 1];
        }
    }
    return NULL;
}

void model_configure(struct model *model)
{
    struct input input = {.kind = INPUT_CONFIGURE, .settings = model->options.settings};
    model_feed(model, &input);
}

const struct reply *model_acquire_waiting(struct model *model, int peer, uint64_t bytes, uint32_t wait_ms)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = bytes, .location = LOCATION_RAM, .name = "w", .numa_node = -1, .wait_ms = wait_ms};
    return model_request(model, peer, &request);
}
