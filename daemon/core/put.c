/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to put and to remove objects, and looking at them. */
#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/board.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/sharing_limit.h"
#include "daemon/core/take_back.h"

static bool check_terms(struct step *step, const struct session *session, const struct request *request)
{
    const struct put_request *asked = &request->put;
    if (asked->access == BLOCK_ACCESS_GROUP && !identity_has_group(&session->identity, asked->gid)) {
        answer_error(step, session->peer, request->id, ERROR_NOT_PERMITTED,
                     "user %u is not in group %u; put the object for a group that the process is in",
                     session->identity.uid, asked->gid);
        return false;
    }
    return true;
}

static bool check_count(struct step *step, struct session *session, uint64_t request_id)
{
    bool fits = sharing_limit_check(step, session, LIMIT_KIND_OBJECTS, request_id);
    step->broker->boards.figures.refused += !fits;
    return fits;
}

/* Those of a reservation that was given up get no memory. */
static bool check_class(struct step *step, const struct session *session, uint64_t request_id)
{
    const struct principal *class = session->share->class;
    bool is_given_up = class->quota.is_reservation && class->quota.max_leases == 0;
    if (is_given_up) {
        answer_error(step, session->peer, request_id, ERROR_LIMIT,
                     "%s was given up: processes that are left in its control groups get no memory", class->whose);
    }
    return !is_given_up;
}

void put_request(struct step *step, struct session *session, const struct request *request)
{
    struct broker *broker = step->broker;
    struct object *before = object_find(&broker->boards, session->identity.uid, request->put.name);
    if (!check_terms(step, session, request) || (!before && !check_count(step, session, request->id)) ||
        !check_class(step, session, request->id)) {
        return;
    }
    struct board *board = board_get(broker, session->identity.uid, session->share);
    enum object_result result = OBJECT_NO_MEMORY;
    if (board) {
        result = board->part_count ? object_put(step, session, board, before, &request->put) : OBJECT_NO_ROOM;
    }
    if (result == OBJECT_NO_ROOM) {
        (void)board_grow(step, session, board, request->id);
    } else if (result == OBJECT_NO_MEMORY) {
        answer_out_of_tables(step, session->peer, request->id);
    } else {
        answer_to(step, session->peer, request->id, REPLY_DONE);
    }
}

/* Who may not get it is told the same as if there were none. */
void put_remove(struct step *step, const struct input *input)
{
    const struct broker *broker = step->broker;
    const struct request *request = input->request.request;
    const struct identity *by = &input->request.identity;
    const char *name = request->remove.name;
    uint32_t owner = request->remove.has_owner ? request->remove.owner : by->uid;
    struct object *object = object_find(&broker->boards, owner, name);
    if (!object || !take_back_is_shown(broker, by, object->access, owner, object->gid)) {
        answer_error(step, input->peer, request->id, ERROR_NO_SUCH_BLOCK, "user %u has no object \"%s\"", owner, name);
    } else if (take_back_check(step, input, owner, "object", name, "remove")) {
        object_remove(step, object);
        answer_to(step, input->peer, request->id, REPLY_DONE);
    }
}

/* ---- looking ---- */

bool broker_find_object(const struct broker *broker, const struct identity *identity, const struct get_request *asked,
                        struct object_place *ret)
{
    uint32_t owner = asked->has_owner ? asked->owner : identity->uid;
    const struct object *object = object_find(&broker->boards, owner, asked->name);
    if (!object || !block_admits(object->access, owner, object->gid, identity)) {
        return false;
    }
    *ret = (struct object_place){.handle = object->board->handle,
                                 .board = owner == identity->uid ? object->board->id : 0,
                                 .position = object->span->position,
                                 .name_bytes = (uint32_t)strlen(object->name),
                                 .bytes = object->bytes};
    return true;
}

void *broker_find_board(const struct broker *broker, const struct identity *identity, uint64_t id)
{
    const struct board *board = board_find(&broker->boards, id);
    return board && board->owner == identity->uid && !board->has_ended ? board->handle : NULL;
}
