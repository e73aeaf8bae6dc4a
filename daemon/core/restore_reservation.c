/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping and restoring reservations. */
#include <errno.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/restore.h"
#include "proto/base/size.h"

bool broker_keep_reservation(const struct broker *broker, uint64_t after, uint64_t now, struct kept_reservation *ret)
{
    const struct reservation *reservation = reservation_next(&broker->reservations, after);
    if (reservation) {
        *ret = (struct kept_reservation){
            .id = reservation->id,
            .terms = reservation->terms,
            .groups = {(const char *const *)reservation->groups.paths, reservation->groups.count},
            .first_count = reservation->first_count,
            .is_over = reservation->is_over,
            .is_suspended = reservation->is_suspended,
            .held_ns = size_subtract_floored(reservation->held_until, now),
            .expires = reservation->expires_at != UINT64_MAX,
            .remaining_ns = size_subtract_floored(reservation->expires_at, now)};
    }
    return reservation;
}

static bool are_groups_good(const struct reservation_table *table, const struct kept_reservation *kept)
{
    size_t bytes = 0;
    for (size_t i = 0; i < kept->groups.count; i++) {
        const char *path = kept->groups.paths[i];
        bytes += reservation_path_bytes(path);
        if (control_path_fault(path) || reservation_with_path(table, path)) {
            return false;
        }
    }
    return kept->first_count <= kept->groups.count && kept->groups.count <= MESSAGE_PATHS_MAX &&
           bytes <= MESSAGE_PATH_BYTES_MAX;
}

int broker_restore_reservation(struct broker *broker, const struct kept_reservation *kept, uint64_t now)
{
    struct reservation_table *table = &broker->reservations;
    size_t length = strlen(kept->terms.name);
    if (!length || length >= POLICY_NAME_SIZE || !are_groups_good(table, kept)) {
        return -EINVAL;
    }
    if (reservation_named(table, kept->terms.name)) {
        return -EEXIST;
    }
    struct reservation *made = reservation_new(table, &kept->terms, &kept->groups);
    if (!made) {
        return -ENOMEM;
    }
    made->first_count = kept->first_count;
    made->is_over = kept->is_over;
    made->is_suspended = kept->is_suspended;
    made->held_until = kept->is_suspended ? size_add_saturated(now, kept->held_ns) : 0;
    made->expires_at = kept->expires ? size_add_saturated(now, kept->remaining_ns) : UINT64_MAX;
    if (made->groups.count < kept->groups.count || reservation_apply(table, &broker->principals) < 0) {
        int result = made->groups.count < kept->groups.count ? -EINVAL : -ENOMEM;
        reservation_free(table, made);
        return result;
    }
    return 0;
}
