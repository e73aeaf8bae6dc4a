/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of a session: as many as the shell has made room for in its control pages. */
#include "tests/unit/core/sharing.h"

/* Acquires in a session whose control pages have this room; gives the answer. */
static const struct reply *acquire_with_room(struct model *model, struct control_room room)
{
    struct request request = {.id = ++model->next_request, .kind = REQUEST_ACQUIRE};
    struct input input = {.kind = INPUT_REQUEST, .session = model->peers[0].session, .peer = &model->peers[0]};
    request.acquire = (struct acquire_request){.bytes = MODEL_PAGE, .location = LOCATION_RAM, .numa_node = -1};
    input.request = (struct input_request){.identity = model_root, .room = room, .request = &request};
    model_feed(model, &input);
    return model_answer(model, request.id);
}

Test(room, slots_exist_only_as_far_as_the_shell_created_them)
{
    struct model *model = model_new(0, 0, 0);
    (void)model_open(model, 0, LIMIT_DEFAULT);
    uint64_t session = model->peers[0].session;
    cr_expect_eq(broker_slots_wanted(model->broker, session), 1);
    cr_expect_eq(broker_slots_wanted(model->broker, session + 1), 0, "nobody's");
    const struct reply *reply = acquire_with_room(model, (struct control_room){2, 40});
    cr_assert(reply && reply->kind == REPLY_GRANT);
    cr_expect(reply->grant.slot == 0 && reply->grant.generation == 41, "above what was in that page before");
    cr_assert(acquire_with_room(model, (struct control_room){2, 40})->kind == REPLY_GRANT);
    cr_expect_eq(broker_slots_wanted(model->broker, session), 3);
    reply = acquire_with_room(model, (struct control_room){2, 40});
    cr_expect(reply->kind == REPLY_ERROR && reply->error.code == ERROR_TOO_MANY);
    reply = acquire_with_room(model, (struct control_room){4, 44});
    cr_assert(reply->kind == REPLY_GRANT);
    cr_expect(reply->grant.slot == 2 && reply->grant.generation == 45);
    reply = acquire_with_room(model, (struct control_room){0, 0});
    cr_expect(reply->kind == REPLY_GRANT && reply->grant.slot == 3, "nothing is said: all is as it was");
    model_free(model);
}

Test(room, a_waiting_request_needs_a_slot)
{
    struct model *model = model_new(0, MIB, 0);
    uint64_t session = model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 1000));
    cr_expect_eq(broker_slots_wanted(model->broker, session), 3, "its lease, the one that waits, and the next");
    model_free(model);
}
