/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/reservations.h"

#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/configure.h"
#include "daemon/core/ending.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* ---- what may be ---- */

static bool may_reserve(struct step *step, const struct input *input)
{
    const struct broker *broker = step->broker;
    const struct access *access = &broker->reservations.configured->access;
    if (access_is_administrator(access, broker->options.daemon_uid, &input->reservation.identity)) {
        return true;
    }
    answer_error(step, input->peer, input->reservation.request_id, ERROR_NOT_PERMITTED,
                 "user %u may make no reservations; only administrators ([access] admin_users, admin_groups) may",
                 input->reservation.identity.uid);
    return false;
}

/* The next path of a list, which `at` then stands behind; false: there is none. */
static bool next_path(const char **at, const char **ret_path, size_t *ret_length)
{
    *ret_path = *at;
    *ret_length = strcspn(*at, "\n");
    *at += *ret_length + ((*at)[*ret_length] == '\n');
    return *ret_length > 0;
}

static bool are_paths_good(struct step *step, const struct input *input, const struct reservation *of)
{
    const struct input_reservation *asked = &input->reservation;
    const char *at = asked->paths, *path;
    size_t length, count = of ? of->member_count : 0;
    while (next_path(&at, &path, &length)) {
        const struct reservation *other = reservation_with_path(&step->broker->reservations, path, length);
        const char *fault = control_path_fault(path, length);
        if (fault) {
            answer_error(step, input->peer, asked->request_id, ERROR_INVALID, "\"%.*s\" is no control group: %s",
                         (int)size_min(length, 200), path, fault);
            return false;
        }
        if (other && other != of) {
            answer_error(step, input->peer, asked->request_id, ERROR_BUSY,
                         "the control group %.*s belongs to the reservation %s%s; %s", (int)size_min(length, 200), path,
                         other->terms.name, other->is_over ? ", which was given up" : "",
                         other->is_over ? "wait until no process is left in it" : "give that one up first");
            return false;
        }
        count += !other;
    }
    if (count > RESERVATION_PATHS_MAX) {
        answer_error(step, input->peer, asked->request_id, ERROR_TOO_MANY,
                     "a reservation has at most %d control groups; attach a group above them", RESERVATION_PATHS_MAX);
        return false;
    }
    return true;
}

/* The guarantees of the configuration and of all reservations must fit into the RAM that there is to lend. */
static bool fits(struct step *step, const struct input *input)
{
    const struct broker *broker = step->broker;
    const struct input_reservation *asked = &input->reservation;
    uint64_t most = size_min(broker->host.limits.max_physical_bytes, broker->host.limits.max_bytes);
    uint64_t sum = reservation_sum(&broker->reservations);
    char wanted[SIZE_TEXT_BYTES], reserved[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES], left[SIZE_TEXT_BYTES];
    if (asked->terms.bytes <= size_subtract_floored(most, sum)) {
        return true;
    }
    answer_error(
        step, input->peer, asked->request_id, ERROR_LIMIT,
        "the reservation %s asks for %s, but of the %s of RAM that the broker may lend %s are reserved already: "
        "%s are left; reserve less, or give up another reservation",
        asked->terms.name, size_to_text(asked->terms.bytes, wanted), size_to_text(most, limit),
        size_to_text(sum, reserved), size_to_text(size_subtract_floored(most, sum), left));
    return false;
}

static bool is_same(const struct reservation *reservation, const struct input_reservation *asked)
{
    const struct reservation_terms *a = &reservation->terms, *b = &asked->terms;
    return a->bytes == b->bytes && a->mapped_bytes == b->mapped_bytes && a->has_uid == b->has_uid && a->uid == b->uid &&
           a->has_priority == b->has_priority && a->priority == b->priority && a->has_weight == b->has_weight &&
           a->weight == b->weight && strcmp(reservation->first_paths, asked->paths) == 0;
}

/* A name that is taken. */
static void answer_taken(struct step *step, const struct input *input, const struct reservation *there)
{
    const struct input_reservation *asked = &input->reservation;
    if (there && !there->is_over && is_same(there, asked)) {
        answer_to(step, input->peer, asked->request_id, REPLY_DONE);
        return;
    }
    answer_error(step, input->peer, asked->request_id, ERROR_BUSY, "%s %s is there already%s",
                 there ? "the reservation" : "the class", asked->terms.name,
                 !there           ? ", in the configuration; choose another name"
                 : there->is_over ? " and was given up, but processes are left in its control groups; wait for them"
                                  : " with other terms; give it up first, or choose another name");
}

/* ---- changes; each happens whole or not at all ---- */

static bool add_paths(struct reservation *reservation, const char *paths)
{
    const char *path;
    size_t length, before = reservation->member_count;
    while (next_path(&paths, &path, &length)) {
        if (reservation_add_path(reservation, path, length) < 0) {
            while (reservation->member_count > before) {
                reservation_drop_path(reservation);
            }
            return false;
        }
    }
    return true;
}

static bool take_effect(struct step *step)
{
    struct broker *broker = step->broker;
    if (reservation_apply(&broker->reservations, &broker->principals) < 0) {
        return false;
    }
    configure_regroup(broker);
    return true;
}

void reservations_reserve(struct step *step, const struct input *input)
{
    struct reservation_table *table = &step->broker->reservations;
    const struct input_reservation *asked = &input->reservation;
    const struct reservation *there = reservation_find(table, asked->terms.name);
    if (!may_reserve(step, input)) {
        return;
    }
    if (there || policy_find(table->configured, PRINCIPAL_CLASS, asked->terms.name) ||
        strcmp(asked->terms.name, POLICY_DEFAULT_CLASS) == 0) {
        answer_taken(step, input, there);
        return;
    }
    if (table->count >= RESERVATIONS_MAX) {
        answer_error(step, input->peer, asked->request_id, ERROR_TOO_MANY,
                     "there are %zu reservations, as many as there may be; give one up first", table->count);
        return;
    }
    if (!are_paths_good(step, input, NULL) || !fits(step, input)) {
        return;
    }
    struct reservation *made = reservation_new(table, &asked->terms, asked->paths);
    if (made && add_paths(made, asked->paths) && take_effect(step)) {
        answer_to(step, input->peer, asked->request_id, REPLY_DONE);
        return;
    }
    if (made) {
        reservation_free(table, made);
    }
    answer_out_of_tables(step, input->peer, asked->request_id);
}

/* The reservation that is meant, if it was not given up; else it answers. */
static struct reservation *find_living(struct step *step, const struct input *input)
{
    struct reservation *found = reservation_find(&step->broker->reservations, input->reservation.terms.name);
    if (found && !found->is_over) {
        return found;
    }
    answer_error(step, input->peer, input->reservation.request_id, ERROR_INVALID,
                 "there is no reservation %s%s; `membrokerctl reservations` lists those that there are",
                 input->reservation.terms.name, found ? " any more: it was given up" : "");
    return NULL;
}

void reservations_attach(struct step *step, const struct input *input)
{
    const struct input_reservation *asked = &input->reservation;
    struct reservation *of = may_reserve(step, input) ? find_living(step, input) : NULL;
    if (!of || !are_paths_good(step, input, of)) {
        return;
    }
    size_t before = of->member_count;
    const char *at = asked->paths, *path;
    size_t length;
    bool fails = false;
    while (!fails && next_path(&at, &path, &length)) {
        bool is_there = reservation_with_path(&step->broker->reservations, path, length);
        fails = !is_there && reservation_add_path(of, path, length) < 0;
    }
    if (!fails && (of->member_count == before || take_effect(step))) {
        answer_to(step, input->peer, asked->request_id, REPLY_DONE);
        return;
    }
    while (of->member_count > before) {
        reservation_drop_path(of);
    }
    answer_out_of_tables(step, input->peer, asked->request_id);
}

void reservations_unreserve(struct step *step, const struct input *input)
{
    const struct input_reservation *asked = &input->reservation;
    struct reservation *of = reservation_find(&step->broker->reservations, asked->terms.name);
    if (!may_reserve(step, input)) {
        return;
    }
    if (of && !of->is_over) {
        of->is_over = true;
        if (!take_effect(step)) {
            of->is_over = false;
            answer_out_of_tables(step, input->peer, asked->request_id);
            return;
        }
    }
    answer_to(step, input->peer, asked->request_id, REPLY_DONE); /* of none, too: it is what was asked for */
}

void reservations_emptied(struct step *step, const struct input *input)
{
    struct reservation_table *table = &step->broker->reservations;
    struct reservation *of = reservation_find(table, input->reservation.terms.name);
    if (of && of->is_over) {
        TAILQ_REMOVE(&table->list, of, in_table);
        table->count--;
        bool done = take_effect(step);
        TAILQ_INSERT_HEAD(&table->list, of, in_table);
        table->count++;
        if (done) {
            reservation_free(table, of);
        }
    }
}

/* ---- what was given up ends ---- */

static bool is_given_up(const struct broker *broker, const struct session *session)
{
    const struct principal *class = session->share->class;
    const struct reservation *of = class->leases ? reservation_find(&broker->reservations, class->name) : NULL;
    return of && of->is_over;
}

/* A lease that is being made is revoked when it is granted: its request must be answered. */
static struct lease *next_to_revoke(const struct broker *broker)
{
    const struct session *session = broker->reservations.count ? session_table_next(&broker->sessions, 0) : NULL;
    for (; session; session = session_table_next(&broker->sessions, session->id)) {
        struct lease *lease = is_given_up(broker, session) ? session_next_lease(session, 0) : NULL;
        for (; lease; lease = session_next_lease(session, lease->id)) {
            if (lease->state == LEASE_ALIVE) {
                return lease;
            }
        }
    }
    return NULL;
}

static bool has_given_up_leases(const struct broker *broker)
{
    const struct reservation *reservation;
    TAILQ_FOREACH(reservation, &broker->reservations.list, in_table) {
        if (reservation->is_over && principal_class_leases(&broker->principals, reservation->terms.name)) {
            return true;
        }
    }
    return false;
}

void reservations_work(struct step *step)
{
    struct broker *broker = step->broker;
    struct lease *lease;
    if (!broker->reservations.is_draining) {
        return;
    }
    while (effect_room(step->effects) >= EFFECTS_FOR_ONE_LEASE && (lease = next_to_revoke(broker))) {
        ending_lease(step, lease, END_REVOKED);
    }
    broker->reservations.is_draining = has_given_up_leases(broker);
}

bool reservations_are_due(const struct broker *broker)
{
    return broker->reservations.is_draining && next_to_revoke(broker);
}
