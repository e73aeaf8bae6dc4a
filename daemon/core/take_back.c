/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/take_back.h"

#include "daemon/core/answer.h"
#include "daemon/core/visibility.h"

bool take_back_is_shown(const struct broker *broker, const struct identity *by, enum block_access access,
                        uint32_t owner, uint32_t gid)
{
    return visibility_is_administrator(broker, by) || block_admits(access, owner, gid, by);
}

bool take_back_check(struct step *step, const struct input *input, uint32_t owner, const char *what, const char *name,
                     const char *verb)
{
    const struct identity *by = &input->request.identity;
    bool is_permitted = owner == by->uid || visibility_is_administrator(step->broker, by);
    if (!is_permitted) {
        answer_error(step, input->peer, input->request.request->id, ERROR_NOT_PERMITTED,
                     "the %s \"%s\" is user %u's and you are user %u; only its owner and administrators ([access] "
                     "admin_users, admin_groups) may %s it",
                     what, name, owner, by->uid, verb);
    }
    return is_permitted;
}
