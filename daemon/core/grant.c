/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Granting: a request is checked, its bytes are reserved, the shell is asked for the segment, and when
 * the segment is there the lease begins. A request that fails at any point leaves nothing behind.
 */
#include "daemon/core/grant.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/ending.h"
#include "daemon/core/grant_answer.h"
#include "daemon/core/host_room.h"
#include "daemon/core/reserve.h"
#include "daemon/core/revocable.h"
#include "proto/base/size.h"

/* The segment that has this file; NULL: none has. */
static const struct segment *file_holder(const struct broker *broker, const char *file)
{
    const struct lease *lease = file[0] ? lease_table_find_file(&broker->leases, file) : NULL;
    return lease ? TAILQ_FIRST(&lease->segments) : NULL;
}

static void grant_begin(struct step *step, struct segment *segment);

/* ---- making ---- */

/* Adds a segment that is paid for to its lease, and notes for which request. */
static void attach_segment(struct step *step, struct lease *lease, struct segment *segment, const struct demand *demand)
{
    segment->request_id = demand->request_id;
    segment->key = demand_key(demand);
    segment->asked_at = demand->asked_at;
    lease_attach(step->broker, lease, segment);
}

/* Asks the shell to make a segment that is paid for. */
static void begin_segment(struct step *step, struct lease *lease, struct segment *segment, const struct charge *charge,
                          const struct demand *demand)
{
    segment->charge = *charge;
    attach_segment(step, lease, segment, demand);
    struct effect_make *make = segment_begin_making(step, segment);
    make->is_publishable = lease->is_publishable;
    if (lease->state == LEASE_MAKING && lease->file) {
        make->file = lease->file->name;
        make->file_bytes = lease->file->bytes;
    }
}

static void answer_no_lease(struct step *step, const struct session *session, uint64_t request_id, int error)
{
    if (error == LEASE_E_SLOTS) {
        answer_error(step, session->peer, request_id, ERROR_TOO_MANY,
                     "this session has %u leases, and can't have more; extend a lease or open another session",
                     session->slots.capacity_max);
    } else {
        answer_out_of_tables(step, session->peer, request_id);
    }
}

/* A lease that has no segment yet; NULL after an answer. */
static struct lease *begin_lease(struct step *step, struct session *session, const struct demand *demand,
                                 enum location location)
{
    struct broker *broker = step->broker;
    struct lease *lease = NULL;
    uint32_t ttl_ms = demand->ttl_ms ? demand->ttl_ms : broker->options.settings.times.ttl_default_ms;
    const struct lease_terms terms = {
        .id = broker->next_lease,
        .location = location,
        .ttl_ns = ttl_ms * NANOSECONDS_PER_MILLISECOND,
        .options = demand->options,
        .is_publishable = demand->publishable,
        .name = demand->name,
        .file = demand->file,
        .file_bytes = demand->asked_bytes,
    };
    int error = lease_new(broker, session, &terms, &lease);
    if (error) {
        answer_no_lease(step, session, demand->request_id, error);
        return NULL;
    }
    broker->next_lease++;
    lease->may_spill = location_is_choice(demand->location) && demand->options.huge_pages != HUGE_PAGES_ALWAYS;
    lease->client_prefaults = demand->wish.prefault && !demand->options.prefault;
    lease->learned = demand->learned;
    lease->is_remembered = demand->use_learned;
    return lease;
}

/* A pooled segment is an ordinary one that is there already. */
static bool fits_pool(const struct session *session, const struct demand *demand)
{
    const struct segment_options *options = &demand->options;
    return location_has_pool(location_first(demand->location)) && options->huge_pages == HUGE_PAGES_NEVER &&
           options->numa_node < 0 && !options->interleave && session->share->class->quota.charge != CHARGE_CLIENT;
}

/* Gets a ready segment, or the charge for one to be made. False: it does not fit now. */
static bool obtain(struct step *step, struct session *session, const struct demand *demand, enum file_choice files,
                   struct segment **ret_ready, struct charge *ret_charge, struct denial *ret_denial)
{
    *ret_ready =
        !demand->publishable && fits_pool(session, demand) ? pool_take(step, demand->bytes, &session->account) : NULL;
    if (*ret_ready) {
        *ret_charge = (*ret_ready)->charge;
        return true;
    }
    if (!place_bytes(step, &session->account, demand->bytes, demand->location, files, ret_charge, ret_denial)) {
        return false;
    }
    if (!location_is_memory(ret_charge->location)) {
        charge_reduce(ret_charge, demand->least_bytes);
    }
    return true;
}

static void lend_ready(struct step *step, struct lease *lease, struct segment *segment, const struct demand *demand)
{
    attach_segment(step, lease, segment, demand);
    grant_begin(step, segment);
}

/* `lease`: the one to extend; NULL: a new one. */
static void begin_grant(struct step *step, struct session *session, const struct demand *demand, struct lease *lease,
                        struct segment *ready, const struct charge *charge)
{
    struct segment *segment = ready ? ready : calloc(1, sizeof *segment);
    if (!segment) {
        answer_out_of_tables(step, session->peer, demand->request_id);
    }
    if (segment && !lease) {
        lease = begin_lease(step, session, demand, charge->location);
    }
    if (!segment || !lease) {
        struct charge unused = *charge;
        if (ready) {
            pool_return(step, ready);
        } else {
            charge_release(&unused);
            free(segment);
        }
        return;
    }
    if (ready) {
        lend_ready(step, lease, ready, demand);
        return;
    }
    segment->options = demand->options;
    segment->least_bytes = demand->least_bytes;
    begin_segment(step, lease, segment, charge, demand);
}

static enum attempt refuse_file(struct step *step, const struct session *session, const struct demand *demand,
                                const struct segment *holder)
{
    answer_error(step, session->peer, demand->request_id, ERROR_BUSY,
                 "lease %llu has the file \"%s\"; release that first", (unsigned long long)holder->lease->id,
                 demand->file);
    return ATTEMPT_ANSWERED;
}

/* Another lease has not let go of the file yet. Limits come first: what they rule out does not wait. */
static enum attempt wait_for_file(struct broker *broker, struct session *session, const struct demand *demand,
                                  const struct segment *holder, struct denial *ret_denial)
{
    if (reserve_would_fit(broker, &session->account, demand->least_bytes, demand->location, ret_denial)) {
        *ret_denial = (struct denial){.code = ERROR_BUSY, .location = demand->location};
        ret_denial->excess = (struct ledger_excess){.account = &broker->host,
                                                    .limit = ledger_limit_of(demand->location),
                                                    .asked_bytes = holder->charge.bytes,
                                                    .fits_ever = true,
                                                    .frees_suffice = true};
    }
    return ATTEMPT_SHORT;
}

static enum attempt try_acquire(struct step *step, struct session *session, const struct demand *demand,
                                enum file_choice files, struct denial *ret_denial)
{
    struct charge charge;
    struct segment *ready;
    const struct segment *holder = file_holder(step->broker, demand->file);
    const struct principal *full = share_full_of_leases(session->share);
    if (holder && !holder->charge.freeing) {
        return refuse_file(step, session, demand, holder);
    }
    if (full) {
        *ret_denial = denial_of_leases(full);
        return ATTEMPT_SHORT;
    }
    if (holder) {
        return wait_for_file(step->broker, session, demand, holder, ret_denial);
    }
    files = demand->options.huge_pages == HUGE_PAGES_ALWAYS ? FILE_NEVER : files; /* a file has none */
    if (!obtain(step, session, demand, files, &ready, &charge, ret_denial)) {
        return ATTEMPT_SHORT;
    }
    begin_grant(step, session, demand, NULL, ready, &charge);
    return ATTEMPT_ANSWERED;
}

static struct lease *lease_to_extend(struct step *step, struct session *session, const struct demand *demand)
{
    struct lease *lease = lease_table_find(&step->broker->leases, demand->lease);
    if (lease && lease->session == session && lease->state == LEASE_ALIVE) {
        if (lease->is_publishable || lease->block) {
            answer_error(step, session->peer, demand->request_id, ERROR_INVALID,
                         "lease %llu is %s, and can't be extended; acquire another lease",
                         (unsigned long long)lease->id, lease->is_publishable ? "publishable" : "a view");
            return NULL;
        }
        if (lease->extents < LEASE_EXTENTS_MAX) {
            return lease;
        }
        answer_error(step, session->peer, demand->request_id, ERROR_TOO_MANY,
                     "lease %llu has %u segments, and can't have more; acquire another lease",
                     (unsigned long long)lease->id, lease->extents);
        return NULL;
    }
    enum end_reason reason = session_recall(session, demand->lease);
    answer_error(step, session->peer, demand->request_id, reason == END_NONE ? ERROR_NO_SUCH_LEASE : ERROR_LEASE_ENDED,
                 "lease %llu can't be extended: %s", (unsigned long long)demand->lease,
                 reason == END_NONE ? "this session has no such lease" : end_reason_text(reason));
    return NULL;
}

static enum attempt try_extend(struct step *step, struct session *session, const struct demand *demand,
                               struct denial *ret_denial)
{
    struct charge charge;
    struct segment *ready;
    struct lease *lease = lease_to_extend(step, session, demand);
    if (!lease) {
        return ATTEMPT_ANSWERED;
    }
    if (!obtain(step, session, demand, FILE_UNLESS_FREEING, &ready, &charge, ret_denial)) {
        return ATTEMPT_SHORT;
    }
    begin_grant(step, session, demand, lease, ready, &charge);
    return ATTEMPT_ANSWERED;
}

enum attempt grant_try(struct step *step, struct session *session, const struct demand *demand, enum file_choice files,
                       struct denial *ret_denial)
{
    return demand->takes_lease ? try_acquire(step, session, demand, files, ret_denial)
                               : try_extend(step, session, demand, ret_denial);
}

/* ---- made ---- */

/* The segment is there: it is lent out, and with its first segment the lease begins. */
static void grant_begin(struct step *step, struct segment *segment)
{
    struct broker *broker = step->broker;
    struct lease *lease = segment->lease;
    struct session *session = lease->session;
    segment->state = SEGMENT_LIVE;
    lease_grow(lease, segment->charge.bytes);
    if (lease->state == LEASE_MAKING) {
        revocable_insert(lease);
        lease_table_grant(&broker->leases, lease, step->now);
        broker->counters.granted++;
        lease->has_slot = true;
        if (lease->learned) {
            struct learned_key key = session_learned_key(session, lease->name);
            learned_note(&broker->learned, &key, lease->bytes);
        }
        effect_push(step->effects, EFFECT_SLOT)->slot =
            (struct effect_slot){session->peer, lease->slot, lease->generation, END_NONE};
    } else {
        broker->counters.extended++;
    }
    histogram_note(&broker->figures.acquire, step->now - segment->asked_at);
    grant_answer(step, segment, segment->request_id);
}

/* Bytes that only huge pages would have taken go back to the ledger. */
static void take_least(struct step *step, struct segment *segment)
{
    host_room_uncount(step->broker, segment);
    charge_reduce(&segment->charge, segment->least_bytes);
    host_room_count(step->broker, segment);
    step->broker->retry_waiting = true;
}

void grant_made(struct step *step, struct segment *segment, const struct input_segment *made)
{
    struct lease *lease = segment->lease;
    struct session *session = lease->session;
    segment->handle = made->handle;
    segment->has_huge_pages = made->has_huge_pages;
    if (made->is_least) {
        take_least(step, segment);
    }
    if (session->state == SESSION_OVER && lease->state != LEASE_ENDED) {
        ending_lease(step, lease, session->over_reason); /* its turn had not come yet */
    }
    if (segment->doomed) {
        answer_error(step, session->peer, segment->request_id, ERROR_LEASE_ENDED,
                     "lease %llu ended in the meantime: %s", (unsigned long long)lease->id,
                     end_reason_text(lease->end_reason));
        segment_begin_freeing(step, segment);
        return;
    }
    grant_begin(step, segment);
}
