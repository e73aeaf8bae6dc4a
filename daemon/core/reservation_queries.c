/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at reservations: nothing here changes anything. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/broker.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/visibility.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

static const struct reservation *next_shown(const struct broker *broker, const struct identity *viewer, uint64_t after)
{
    const struct reservation *reservation = reservation_next(&broker->reservations, after);
    while (reservation && !visibility_shows_reservation(broker, viewer, reservation)) {
        reservation = TAILQ_NEXT(reservation, in_table);
    }
    return reservation;
}

static void fill(const struct broker *broker, const struct reservation *reservation, uint64_t now,
                 struct reservation_entry *entry)
{
    const struct reservation_terms *terms = &reservation->terms;
    const struct principal *class = principal_class(&broker->principals, terms->name);
    bool expires = reservation->expires_at != UINT64_MAX;
    *entry = (struct reservation_entry){
        .reservation = reservation->id,
        .bytes = terms->bytes,
        .mapped_bytes = terms->mapped_bytes,
        .used_bytes = account_used(&class->account, LEDGER_MAX_PHYSICAL_BYTES),
        .used_mapped_bytes = account_used(&class->account, LEDGER_MAX_MAPPED_BYTES),
        .sessions = class->sessions,
        .leases = class->leases,
        .has_uid = terms->has_uid,
        .has_priority = terms->has_priority,
        .has_weight = terms->has_weight,
        .uid = terms->uid,
        .priority = terms->priority,
        .weight = terms->weight,
        .is_over = reservation->is_over,
        .is_suspended = reservation->is_suspended,
        .held_ms = size_subtract_floored(reservation->is_suspended ? reservation->held_until : 0, now) /
                   NANOSECONDS_PER_MILLISECOND,
        .remaining_ms =
            expires ? size_subtract_floored(reservation->expires_at, now) / NANOSECONDS_PER_MILLISECOND : UINT64_MAX,
        .control_groups = (const char *const *)reservation->groups.paths,
        .control_group_count = reservation->groups.count,
    };
    text_copy(entry->name, sizeof entry->name, terms->name);
}

size_t broker_list_reservations(const struct broker *broker, const struct identity *viewer, uint64_t after,
                                uint64_t now, struct reservation_entry *entries, size_t max, bool *ret_more)
{
    const struct reservation *reservation = next_shown(broker, viewer, after);
    size_t count = 0, path_bytes = 0;
    while (reservation && count < max && path_bytes < MESSAGE_PAGE_PATH_BYTES) {
        path_bytes += reservation->path_bytes;
        fill(broker, reservation, now, &entries[count++]);
        reservation = next_shown(broker, viewer, reservation->id);
    }
    *ret_more = reservation;
    return count;
}

static struct reservation_groups groups_of(const struct reservation *reservation)
{
    return (struct reservation_groups){.reservation = reservation->id,
                                       .control_groups = (const char *const *)reservation->groups.paths,
                                       .control_group_count = reservation->groups.count};
}

bool broker_find_groups(const struct broker *broker, uint64_t id, struct reservation_groups *ret)
{
    const struct session *session = session_table_find(&broker->sessions, id);
    const struct reservation *reservation =
        session ? reservation_named(&broker->reservations, session->share->class->name) : NULL;
    if (reservation) {
        *ret = groups_of(reservation);
    }
    return reservation;
}

bool broker_next_given_up(const struct broker *broker, uint64_t after, struct reservation_groups *ret)
{
    const struct reservation *reservation = reservation_next(&broker->reservations, after);
    while (reservation && !reservation->is_over) {
        reservation = TAILQ_NEXT(reservation, in_table);
    }
    if (reservation) {
        *ret = groups_of(reservation);
    }
    return reservation;
}

static const struct reservation *find_namesake(const struct broker *broker, const struct policy *policy)
{
    const struct reservation *reservation;
    TAILQ_FOREACH(reservation, &broker->reservations.list, in_table) {
        if (policy_find(policy, PRINCIPAL_CLASS, reservation->terms.name)) {
            return reservation;
        }
    }
    return NULL;
}

bool broker_accepts(const struct broker *broker, const struct broker_settings *settings,
                    char sentence[MESSAGE_SENTENCE_SIZE])
{
    const struct reservation *namesake = find_namesake(broker, settings->policy);
    uint64_t most = size_min(settings->limits.max_physical_bytes, settings->limits.max_bytes);
    uint64_t reserved = reservation_sum(&broker->reservations), configured = reservation_policy_sum(settings->policy);
    char all[SIZE_TEXT_BYTES], left[SIZE_TEXT_BYTES], wanted[SIZE_TEXT_BYTES];
    if (namesake) {
        (void)snprintf(sentence, MESSAGE_SENTENCE_SIZE,
                       "[class %s] has the name of a reservation; rename the class, or give the reservation up",
                       namesake->terms.name);
        return false;
    }
    if (reserved && size_add_saturated(reserved, configured) > most) {
        (void)snprintf(sentence, MESSAGE_SENTENCE_SIZE,
                       "max_physical_bytes or max_bytes is %s in the configuration, and its reserve_bytes are %s, but "
                       "reservations have %s; give some of them up, or raise the limit",
                       size_to_text(most, all), size_to_text(configured, left), size_to_text(reserved, wanted));
        return false;
    }
    return true;
}
