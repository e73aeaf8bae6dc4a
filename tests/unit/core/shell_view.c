/* SPDX-License-Identifier: Apache-2.0 */
/* What the model of the shell has seen. */
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
    uint64_t bytes = 0;
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
