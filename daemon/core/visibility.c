/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/visibility.h"

#include "proto/base/text.h"

bool visibility_is_administrator(const struct broker *broker, const struct identity *identity)
{
    return access_is_administrator(&broker->principals.policy->access, broker->options.daemon_uid, identity);
}

bool visibility_shows_user(const struct broker *broker, const struct identity *viewer, uint32_t uid)
{
    return access_may_see(&broker->principals.policy->access, broker->options.daemon_uid, viewer, uid);
}

bool visibility_shows(const struct broker *broker, const struct identity *viewer, const struct session *session)
{
    return visibility_shows_user(broker, viewer, session->identity.uid);
}

bool visibility_shows_all(const struct broker *broker, const struct identity *viewer)
{
    return access_may_see_all(&broker->principals.policy->access, broker->options.daemon_uid, viewer);
}

/* Those who can't see everything see the ones that are for them alone. */
bool visibility_shows_reservation(const struct broker *broker, const struct identity *viewer,
                                  const struct reservation *reservation)
{
    const struct access *access = &broker->reservations.configured->access;
    return visibility_shows_all(broker, viewer) || access_may_reserve(access, broker->options.daemon_uid, viewer) ||
           (reservation && reservation->terms.has_uid && reservation->terms.uid == viewer->uid);
}

/* Which user it is helps; which process is not everybody's business. */
static void hide(const struct broker *broker, const struct identity *viewer, struct holder *holders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!visibility_shows_user(broker, viewer, holders[i].uid)) {
            holders[i].session = 0;
            holders[i].pid = 0;
            text_copy(holders[i].name, sizeof holders[i].name, holders[i].block ? "" : HIDDEN_NAME);
        }
    }
}

void visibility_hide(const struct broker *broker, const struct identity *viewer, struct refusal *refusal)
{
    hide(broker, viewer, refusal->holders, refusal->holder_count);
    hide(broker, viewer, refusal->ahead, refusal->ahead_count);
}
