/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/visibility.h"

bool visibility_shows_user(const struct broker *broker, const struct identity *viewer, uint32_t uid)
{
    return access_may_see(&broker->parties.policy->access, broker->options.daemon_uid, viewer, uid);
}

bool visibility_shows(const struct broker *broker, const struct identity *viewer, const struct session *session)
{
    return visibility_shows_user(broker, viewer, session->identity.uid);
}

bool visibility_shows_all(const struct broker *broker, const struct identity *viewer)
{
    return access_may_see_all(&broker->parties.policy->access, broker->options.daemon_uid, viewer);
}
