/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/putting.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

struct model *model_for_putting(uint64_t max_physical)
{
    struct model *model = model_new(0, max_physical, 0);
    model->boards.key = 7;
    model_open_as(model, 0, "a", 1000);
    model_open_as(model, 1, "b", 1000);
    model_open_as(model, 2, "c", 1002);
    return model;
}

struct request putting_object(const char *name, size_t bytes, uint8_t value)
{
    static uint8_t data[MESSAGE_OBJECT_MAX];
    struct request request = {.kind = REQUEST_PUT};
    memset(data, value, bytes);
    request.put.data = (struct message_bytes){data, bytes};
    text_copy(request.put.name, MESSAGE_NAME_SIZE, name);
    return request;
}

const struct reply *put_object(struct model *model, int peer, const char *name, size_t bytes, uint8_t value,
                               enum lifetime lifetime)
{
    struct request request = putting_object(name, bytes, value);
    request.put.lifetime = lifetime;
    return model_request(model, peer, &request);
}

void put_for_session(struct model *model, int peer, const char *name, size_t bytes, uint8_t value)
{
    const struct reply *reply = put_object(model, peer, name, bytes, value, LIFETIME_SESSION);
    cr_assert(reply && reply->kind == REPLY_DONE, "%s", reply ? reply->error.sentence : "no answer");
}

const struct reply *remove_object(struct model *model, int peer, const char *name)
{
    struct request request = {.kind = REQUEST_REMOVE};
    text_copy(request.remove.name, MESSAGE_NAME_SIZE, name);
    return model_request(model, peer, &request);
}

void find_meeting_names(uint64_t key, char names[][MEETING_NAME_SIZE], int count)
{
    struct board_bucket first = {0};
    for (int i = 0, found = 0; found < count; i++) {
        char name[MESSAGE_NAME_SIZE] = "";
        (void)snprintf(name, sizeof name, "%d", i);
        struct board_bucket bucket = board_bucket_of(key, name);
        first = found ? first : bucket;
        if (bucket.block == first.block && bucket.slot == first.slot) {
            text_copy(names[found++], MEETING_NAME_SIZE, name);
        }
    }
}
