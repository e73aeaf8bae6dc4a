/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/refusal_log.h"

#include "proto/base/text.h"

void refusal_log_add(struct broker *broker, const struct session *session)
{
    if (!session->refused_at) {
        return;
    }
    struct buried_refusal *buried = &broker->refusals[broker->refusal_next];
    broker->refusal_next = (broker->refusal_next + 1) % REFUSALS_REMEMBERED;
    *buried = (struct buried_refusal){.session = session->id,
                                      .refused_at = session->refused_at,
                                      .pid = session->identity.pid,
                                      .uid = session->identity.uid,
                                      .location = session->refused_location,
                                      .refusal = session->last_refusal};
    text_copy(buried->name, sizeof buried->name, session->name);
}

const struct buried_refusal *refusal_log_at(const struct broker *broker, size_t back)
{
    size_t at = (broker->refusal_next + REFUSALS_REMEMBERED - 1 - back) % REFUSALS_REMEMBERED;
    return back < REFUSALS_REMEMBERED && broker->refusals[at].refused_at ? &broker->refusals[at] : NULL;
}
