/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/check.h"

/* A session that is over and has no lease left is known by its segments alone. */
static const struct session *next_drained(const struct session *session)
{
    while (session && (session->state != SESSION_OVER || session->draining)) {
        session = TAILQ_NEXT(session, in_holding);
    }
    return session;
}

const struct session *check_walk_next(const struct broker *broker, const struct session *session)
{
    const struct session *next = NULL;
    if (session && session->state == SESSION_OVER && !session->draining) {
        return next_drained(TAILQ_NEXT(session, in_holding));
    }
    if (session && session->state == SESSION_OVER) {
        next = TAILQ_NEXT(session, in_over);
    } else {
        next = session_table_next(&broker->sessions, session ? session->id : 0);
        next = next ? next : TAILQ_FIRST(&broker->sessions.over);
    }
    return next ? next : next_drained(TAILQ_FIRST(&broker->sessions.holding));
}
