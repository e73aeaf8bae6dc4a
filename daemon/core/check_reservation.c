/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations: each is a class with its guarantee, and one that was given up keeps nothing. */
#include "daemon/core/check.h"

#include <string.h>

static const struct principal *class_of(const struct broker *broker, const char *name)
{
    const struct principal *principal;
    TAILQ_FOREACH(principal, &broker->principals.principals[PRINCIPAL_CLASS], in_table) {
        if (strcmp(principal->name, name) == 0) {
            return principal;
        }
    }
    return NULL;
}

static const char *check_reservation(const struct broker *broker, const struct reservation *reservation)
{
    const struct principal *class = class_of(broker, reservation->terms.name);
    uint64_t bytes = reservation->is_over ? 0 : reservation->terms.bytes;
    const char *wrong = require(NULL, class && class->is_named, "a reservation has no class");
    if (wrong) {
        return wrong;
    }
    wrong = require(wrong, class->account.reserve_bytes == bytes, "a reservation's class has another guarantee");
    wrong = require(wrong, class->account.limits.max_physical_bytes == bytes, "its limit is not what is guaranteed");
    wrong = require(wrong, !reservation->is_over || class->quota.max_leases == 0, "one that is over may have leases");
    for (size_t i = 0; i < reservation->member_count; i++) {
        const char *path = reservation->members[i].path;
        wrong = require(wrong, reservation_with_path(&broker->reservations, path, strlen(path)) == reservation,
                        "two reservations have one control group");
    }
    return require(wrong, !reservation->is_over || broker->reservations.is_draining || !class->leases,
                   "leases of a reservation that is over are forgotten");
}

const char *check_reservations(const struct broker *broker)
{
    const struct reservation *reservation;
    const char *wrong = NULL;
    size_t count = 0;
    TAILQ_FOREACH(reservation, &broker->reservations.list, in_table) {
        wrong = wrong ? wrong : check_reservation(broker, reservation);
        count++;
    }
    return require(wrong, count == broker->reservations.count, "the reservations are miscounted (count)");
}
