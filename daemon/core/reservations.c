/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/reservations.h"

#include <assert.h>
#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/configure.h"
#include "daemon/core/ending.h"
#include "daemon/core/hold.h"
#include "daemon/core/reserve_check.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* Once in a step at most. What is told of it is the caller's to fill; NULL: memory is short. */
static struct effect_reservations *take_effect(struct step *step)
{
    struct broker *broker = step->broker;
    if (reservation_apply(&broker->reservations, &broker->principals) < 0) {
        return NULL;
    }
    struct effect_reservations *told = &effect_push(step->effects, EFFECT_RESERVATIONS)->reservations;
    *told = (struct effect_reservations){.change = RESERVATION_FORGOTTEN};
    broker->retry_waiting = true;
    return told;
}

static void tell(struct effect_reservations *told, enum reservation_change change, const struct reservation *of,
                 const struct input *by)
{
    told->change = change;
    told->bytes = of->terms.bytes;
    text_copy(told->name, sizeof told->name, of->terms.name);
    if (by) {
        told->pid = by->request.identity.pid;
        told->uid = by->request.identity.uid;
    }
}

/* Whether a class is a reservation's that was given up, and that is in force. */
static bool is_given_up(const struct principal *class)
{
    return class->quota.is_reservation && class->quota.max_leases == 0;
}

/* Of the blocks with numbers above `after`. */
static struct block *next_to_take_back(const struct broker *broker, uint64_t after)
{
    struct block *block = block_table_next(&broker->blocks, after);
    while (block && (block->state == BLOCK_FREEING || !is_given_up(block->share->class))) {
        block = block_table_next(&broker->blocks, block->id);
    }
    return block;
}

/* Whether those that were given up have leases to be revoked, or blocks. */
static void note_given_up(struct broker *broker)
{
    const struct reservation *reservation;
    bool has_leases = false;
    TAILQ_FOREACH(reservation, &broker->reservations.list, in_table) {
        has_leases = has_leases || (reservation->is_over && !reservation->is_empty &&
                                    principal_class(&broker->principals, reservation->terms.name)->leases);
    }
    broker->reservations.is_draining = has_leases || next_to_take_back(broker, 0) || board_has_to_take_back(broker);
}

/* Takes a change into force that was asked for. The paths from this one on are new. */
static bool change(struct step *step, enum reservation_change what, const struct reservation *of, size_t first_new,
                   const struct input *by)
{
    struct effect_reservations *told = take_effect(step);
    if (told) {
        tell(told, what, of, by);
        if (of->groups.count > first_new) {
            configure_regroup_reserved(step->broker);
        }
        note_given_up(step->broker);
    }
    return told;
}

static void done(struct step *step, const struct input *input)
{
    answer_to(step, input->peer, input->request.request->id, REPLY_DONE);
}

/* ---- making one ---- */

static bool has_same_groups(const struct reservation *reservation, const struct control_group_list *groups)
{
    size_t found = 0;
    for (size_t i = 0; i < reservation->first_count; i++) {
        for (size_t j = 0; j < groups->count; j++) {
            if (strcmp(reservation->groups.paths[i], groups->paths[j]) == 0) {
                found++;
                break;
            }
        }
    }
    return found == reservation->first_count;
}

/* Of those that are asked for, none but those that it was made with. */
static bool has_no_other_groups(const struct reservation *reservation, const struct control_group_list *groups)
{
    const struct reservation first = {.groups = {reservation->groups.paths, reservation->first_count}};
    for (size_t i = 0; i < groups->count; i++) {
        if (!reservation_has_path(&first, groups->paths[i])) {
            return false;
        }
    }
    return true;
}

static bool is_same(const struct reservation *reservation, const struct reserve_request *asked)
{
    const struct reservation_terms *a = &reservation->terms, *b = &asked->terms;
    return a->bytes == b->bytes && a->mapped_bytes == b->mapped_bytes && a->has_uid == b->has_uid && a->uid == b->uid &&
           a->has_priority == b->has_priority && a->priority == b->priority && a->has_weight == b->has_weight &&
           a->weight == b->weight && a->expires_ms == b->expires_ms && has_same_groups(reservation, &asked->groups) &&
           has_no_other_groups(reservation, &asked->groups);
}

/* A name that is taken. */
static void answer_taken(struct step *step, const struct input *input, const struct reservation *there)
{
    const struct request *request = input->request.request;
    if (there && !there->is_over && is_same(there, &request->reserve)) {
        done(step, input);
        return;
    }
    answer_error(step, input->peer, request->id, ERROR_BUSY, "%s %s exists already%s",
                 there ? "the reservation" : "the class", request->reserve.terms.name,
                 !there           ? ", in the configuration; choose another name"
                 : there->is_over ? " and was given up, but processes are left in its control groups; wait for them"
                                  : " with other terms; give it up first, or choose another name");
}

static bool is_class(const struct reservation_table *table, const char *name)
{
    return strcmp(name, POLICY_DEFAULT_CLASS) == 0 || policy_find(table->configured, PRINCIPAL_CLASS, name);
}

static void reserve(struct step *step, const struct input *input)
{
    struct reservation_table *table = &step->broker->reservations;
    const struct reserve_request *asked = &input->request.request->reserve;
    const struct reservation_terms *terms = &asked->terms;
    const struct reservation *there = reservation_named(table, terms->name);
    if (there || is_class(table, terms->name)) {
        answer_taken(step, input, there);
        return;
    }
    if (!reserve_check_terms(step, input, terms) || !reserve_check_groups(step, input, &asked->groups, NULL) ||
        !reserve_check_sum(step, input, terms)) {
        return;
    }
    struct reservation *made = reservation_new(table, terms, &asked->groups);
    if (made) {
        uint64_t ttl = terms->expires_ms ? terms->expires_ms * NANOSECONDS_PER_MILLISECOND : UINT64_MAX;
        made->expires_at = size_add_saturated(step->now, ttl);
        if (change(step, RESERVATION_MADE, made, 0, input)) {
            done(step, input);
            return;
        }
        reservation_free(table, made);
    }
    answer_out_of_tables(step, input->peer, input->request.request->id);
}

/* ---- extending one ---- */

/* The reservation that is meant, if it was not given up; else it answers. */
static struct reservation *find_living(struct step *step, const struct input *input, const char *name)
{
    struct reservation *found = reservation_named(&step->broker->reservations, name);
    if (found && !found->is_over) {
        return found;
    }
    answer_error(step, input->peer, input->request.request->id, ERROR_NO_SUCH_RESERVATION,
                 found ? "the reservation %s was given up; make another one"
                       : "there is no reservation %s; `membrokerctl reservations` lists those that exist",
                 name);
    return NULL;
}

static void attach(struct step *step, const struct input *input)
{
    const struct attach_request *asked = &input->request.request->attach;
    struct reservation *of = find_living(step, input, asked->name);
    if (!of || !reserve_check_groups(step, input, &asked->groups, of)) {
        return;
    }
    size_t before = of->groups.count;
    if (reservation_add_paths(of, &asked->groups) == 0 &&
        (of->groups.count == before || change(step, RESERVATION_EXTENDED, of, before, input))) {
        done(step, input);
        return;
    }
    reservation_drop_paths(of, before);
    answer_out_of_tables(step, input->peer, input->request.request->id);
}

/* ---- suspending one ---- */

static bool is_member(const struct session *session, const struct reservation *of)
{
    return strcmp(session->share->class->name, of->terms.name) == 0;
}

/* Those whose processes are frozen are still held by that. */
static void end_holds(struct step *step, const struct reservation *of)
{
    struct session *session = session_table_next(&step->broker->sessions, 0);
    for (; session; session = session_table_following(session)) {
        if (is_member(session, of) && !session->is_frozen) {
            hold_end(step, session);
        }
    }
}

static bool change_suspension(struct step *step, const struct input *input, struct reservation *of, uint64_t time)
{
    bool is_suspended = !input->request.request->suspend.ends;
    of->is_suspended = is_suspended;
    of->held_until = is_suspended ? size_add_saturated(step->now, time) : 0;
    if (change(step, is_suspended ? RESERVATION_SUSPENDED : RESERVATION_RESUMED, of, of->groups.count, input)) {
        return true;
    }
    of->is_suspended = !is_suspended;
    return false;
}

/* A second Suspend is none: what a member holds would never end otherwise. */
static void suspend(struct step *step, const struct input *input)
{
    const struct request *request = input->request.request;
    bool is_wanted = !request->suspend.ends;
    uint64_t time = step->broker->options.settings.reservations.hold_ms * NANOSECONDS_PER_MILLISECOND;
    struct reservation *of = find_living(step, input, request->suspend.name);
    if (!of) {
        return;
    }
    if (is_wanted && !time) {
        answer_error(step, input->peer, request->id, ERROR_INVALID,
                     "the reservation %s can't be suspended: [reservations] hold_while_frozen is 0", of->terms.name);
        return;
    }
    uint64_t held_until = of->held_until;
    if (of->is_suspended == is_wanted || change_suspension(step, input, of, time)) {
        done(step, input);
    } else {
        of->held_until = held_until;
        answer_out_of_tables(step, input->peer, request->id);
        return;
    }
    if (!is_wanted && held_until) {
        end_holds(step, of);
    }
}

/* ---- giving one up ---- */

static void unreserve(struct step *step, const struct input *input)
{
    const struct request *request = input->request.request;
    struct reservation *of = reservation_named(&step->broker->reservations, request->unreserve.name);
    if (of && !of->is_over) {
        of->is_over = true;
        of->is_over = change(step, RESERVATION_GIVEN_UP, of, of->groups.count, input);
    }
    if (of && !of->is_over) {
        answer_out_of_tables(step, input->peer, request->id);
        return;
    }
    done(step, input); /* of none, too: it is what was asked for */
}

void reservations_request(struct step *step, const struct input *input)
{
    enum request_kind kind = input->request.request->kind;
    if (!reserve_check_permission(step, input)) {
        return;
    }
    if (kind == REQUEST_RESERVE) {
        reserve(step, input);
    } else if (kind == REQUEST_ATTACH) {
        attach(step, input);
    } else if (kind == REQUEST_SUSPEND) {
        suspend(step, input);
    } else {
        unreserve(step, input);
    }
}

/* Short of memory, those that are empty stay, and are told again. */
static void forget_empty(struct step *step)
{
    struct reservation_table *table = &step->broker->reservations;
    struct reservation *reservation, *next;
    bool is_done = take_effect(step);
    if (is_done) {
        configure_regroup_reserved(step->broker);
        note_given_up(step->broker);
    }
    for (reservation = TAILQ_FIRST(&table->list); reservation; reservation = next) {
        next = TAILQ_NEXT(reservation, in_table);
        if (reservation->is_empty && is_done) {
            reservation_free(table, reservation);
        } else {
            reservation->is_empty = false;
        }
    }
}

void reservations_emptied(struct step *step, const struct input_emptied *emptied)
{
    bool any = false;
    for (size_t i = 0; i < emptied->count; i++) {
        struct reservation *of = reservation_find(&step->broker->reservations, emptied->reservations[i]);
        if (of && of->is_over) {
            any = of->is_empty = true;
        }
    }
    if (any) {
        forget_empty(step);
    }
}

/* Short of memory: those that were not over before expire later. What is in force says which these are. */
static void put_off_expiry(struct step *step)
{
    struct reservation_table *table = &step->broker->reservations;
    struct reservation *reservation;
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        const struct principal *class = principal_class(&step->broker->principals, reservation->terms.name);
        if (reservation->is_over && !is_given_up(class)) {
            reservation->is_over = false;
            reservation->expires_at = step->now + NANOSECONDS_PER_SECOND;
        }
    }
    table->next_expiry = reservation_next_expiry(table);
}

/* All together: each change of the policy looks at every session. */
void reservations_expire(struct step *step)
{
    struct reservation_table *table = &step->broker->reservations;
    struct reservation *reservation;
    if (table->next_expiry > step->now) {
        return;
    }
    const struct reservation *last = NULL;
    size_t count = 0;
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        if (!reservation->is_over && reservation->expires_at <= step->now) {
            reservation->is_over = true;
            last = reservation;
            count++;
        }
    }
    assert(last); /* or the first expiry were not known */
    struct effect_reservations *told = take_effect(step);
    if (told) {
        tell(told, RESERVATION_EXPIRED, last, NULL);
        told->more = count - 1;
        note_given_up(step->broker);
    } else {
        put_off_expiry(step);
    }
}

/* ---- what was given up ends ---- */

/*
 * Of the sessions with numbers above `after`. A lease that is being made is revoked when it is granted: its request
 * must be answered.
 */
static struct lease *next_to_revoke(const struct broker *broker, uint64_t after)
{
    const struct session *session = session_table_next(&broker->sessions, after);
    for (; session; session = session_table_following(session)) {
        const struct principal *class = session->share->class;
        struct lease *lease = class->leases && is_given_up(class) ? session_next_lease(session, 0) : NULL;
        for (; lease; lease = session_next_lease(session, lease->id)) {
            if (lease->state == LEASE_ALIVE) {
                return lease;
            }
        }
    }
    return NULL;
}

static void revoke(struct step *step, struct lease *lease, const struct principal *class)
{
    struct effect_cause cause = {.is_reservation = true};
    text_copy(cause.client, sizeof cause.client, class->name);
    ending_revoked(step, lease, &cause);
}

/* Not even its owner's sessions elsewhere keep it. Its publisher was in the reservation, and has lost its lease. */
static void take_back(struct step *step, struct block *block)
{
    assert(!block->publisher);
    if (block->state == BLOCK_PUBLISHED) {
        block_condemn(step, block, END_REVOKED, NULL);
    } else {
        revoke(step, TAILQ_FIRST(&block->views), block->share->class);
    }
}

void reservations_work(struct step *step)
{
    struct broker *broker = step->broker;
    struct lease *lease;
    struct block *block;
    uint64_t after = 0; /* these sessions have none left */
    if (!broker->reservations.is_draining) {
        return;
    }
    while (effect_room(step->effects) >= EFFECTS_FOR_ONE_LEASE && (lease = next_to_revoke(broker, after))) {
        after = lease->session->id - 1;
        revoke(step, lease, lease->session->share->class);
    }
    after = 0;
    while (effect_room(step->effects) >= EFFECTS_FOR_ONE_LEASE && (block = next_to_take_back(broker, after))) {
        after = block->id - 1;
        take_back(step, block);
    }
    board_take_back(step);
    note_given_up(broker);
}

uint64_t reservations_next_wakeup(const struct broker *broker)
{
    const struct reservation_table *table = &broker->reservations;
    bool goes_on = table->is_draining &&
                   (next_to_revoke(broker, 0) || next_to_take_back(broker, 0) || board_has_to_take_back(broker));
    return goes_on ? 0 : table->next_expiry;
}
