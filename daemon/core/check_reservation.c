/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations: each is a class with its guarantee, and one that was given up keeps nothing. */
#include "daemon/core/check.h"

#include <string.h>

static const char *check_reservation(const struct broker *broker, const struct reservation *reservation)
{
    const struct principal *class = principal_class(&broker->principals, reservation->terms.name);
    uint64_t bytes = reservation->is_over ? 0 : reservation->terms.bytes;
    const char *wrong = require(NULL, class->is_named, "a reservation has no class");
    if (wrong) {
        return wrong;
    }
    wrong = require(wrong, class->account.reserve_bytes == bytes, "a reservation's class has another guarantee");
    wrong = require(wrong, class->account.limits.max_physical_bytes == bytes, "its limit is not what is guaranteed");
    wrong = require(wrong, class->quota.held_until == (reservation->is_suspended ? reservation->held_until : 0),
                    "its members are held until another time than it is");
    wrong = require(wrong, !reservation->is_over || class->quota.max_leases == 0, "one that is over may have leases");
    size_t path_bytes = 0;
    for (size_t i = 0; i < reservation->groups.count; i++) {
        const char *path = reservation->groups.paths[i];
        path_bytes += reservation_path_bytes(path);
        wrong = require(wrong, reservation_with_path(&broker->reservations, path) == reservation,
                        "two reservations have one control group");
    }
    wrong = require(wrong, reservation->path_bytes == path_bytes, "the paths are miscounted (bytes)");
    wrong = require(wrong, path_bytes <= MESSAGE_PATH_BYTES_MAX && reservation->groups.count <= MESSAGE_PATHS_MAX,
                    "a reservation has too many control groups");
    return require(wrong, !reservation->is_over || broker->reservations.is_draining || !class->leases,
                   "leases of a reservation that is over are forgotten");
}

/* A change of reservations looks at some sessions only: of all others the policy must say what it said. */
static const char *check_class(const struct broker *broker, const struct session *session)
{
    struct class_reason reason = {.rule = CLASS_RULE_DEFAULT};
    const struct policy_client client = session_client(session);
    const struct policy_rule *rule = policy_class(broker->principals.policy, &client, &reason);
    const char *name = rule ? rule->name : POLICY_DEFAULT_CLASS, *wrong = NULL;
    if (session->reason.rule != CLASS_RULE_UNSPECIFIED) { /* or there was no memory for a share in its class */
        wrong = require(wrong, strcmp(session->share->class->name, name) == 0, "a session is in another class");
        wrong =
            require(wrong, session->reason.pattern == reason.pattern, "a session is in its class for another reason");
    }
    return wrong;
}

const char *check_reservations(const struct broker *broker)
{
    const struct reservation *reservation;
    const char *wrong = NULL;
    uint64_t before = 0;
    size_t count = 0;
    TAILQ_FOREACH(reservation, &broker->reservations.list, in_table) {
        wrong = wrong ? wrong : check_reservation(broker, reservation);
        wrong = require(wrong, reservation->id > before, "the reservations are not in the order of their numbers");
        before = reservation->id;
        count++;
    }
    const struct session *session = session_table_next(&broker->sessions, 0);
    for (; session && !wrong; session = session_table_following(session)) {
        wrong = check_class(broker, session);
    }
    wrong = require(wrong, broker->reservations.next_expiry == reservation_next_expiry(&broker->reservations),
                    "the reservation that expires first is not known");
    return require(wrong, count == broker->reservations.count, "the reservations are miscounted (count)");
}
