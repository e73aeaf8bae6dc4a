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
#include "daemon/core/check_request.h"
#include "daemon/core/ending.h"
#include "daemon/core/grant_answer.h"
#include "daemon/core/host_room.h"
#include "daemon/core/repeat.h"
#include "daemon/core/revocable.h"
#include "proto/base/size.h"

/* The segment that has this file; NULL: none has. */
static const struct segment *file_holder(const struct broker *broker, const char *file)
{
    const struct lease *lease = file[0] ? lease_table_find_file(&broker->leases, file) : NULL;
    return lease ? TAILQ_FIRST(&lease->segments) : NULL;
}

/* A named file that is longer than what was asked for sets the size. */
static uint64_t bytes_wanted(const struct acquire_request *asked)
{
    return asked->file[0] && asked->file_bytes > asked->bytes ? asked->file_bytes : asked->bytes;
}

static void grant_begin(struct step *step, struct segment *segment);

/* ---- making ---- */

/* Huge pages are filled by the broker, which pays for them: where clients are to pay, trying gets ordinary ones. */
static enum huge_pages huge_pages_under(const struct quota *class, enum huge_pages wish)
{
    return class->charge == CHARGE_CLIENT && wish == HUGE_PAGES_TRY ? HUGE_PAGES_NEVER : wish;
}

/* What the request says, and what its class says for it. */
static struct segment_options acquire_options(const struct quota *class, const struct acquire_request *asked)
{
    bool may_be_ram = asked->location != LOCATION_MMAP;
    bool inherits = !asked->has_huge_pages && class->has_huge_pages && may_be_ram;
    return (struct segment_options){
        .huge_pages = huge_pages_under(class, inherits ? class->huge_pages : asked->huge_pages),
        .numa_node = asked->numa_node,
        .interleave = asked->interleave,
        .prefault = may_be_ram && class->charge != CHARGE_CLIENT && (asked->prefault || class->charge == CHARGE_BROKER),
    };
}

/* As the lease's first segment, where that is RAM. */
static struct segment_options extend_options(const struct broker *broker, const struct quota *class,
                                             const struct extend_request *asked)
{
    const struct lease *lease = lease_table_find(&broker->leases, asked->lease);
    struct segment_options options = {.numa_node = -1};
    if (lease && lease->location == LOCATION_RAM) {
        options = lease->options;
        options.huge_pages = huge_pages_under(class, options.huge_pages);
        options.prefault = class->charge != CHARGE_CLIENT && (asked->prefault || class->charge == CHARGE_BROKER);
    }
    return options;
}

static struct segment_options options_for(const struct broker *broker, const struct session *session,
                                          const struct request *request)
{
    const struct quota *class = &session->flow->class->quota;
    return request->kind == REQUEST_ACQUIRE ? acquire_options(class, &request->acquire)
                                            : extend_options(broker, class, &request->extend);
}

/* A request's size was checked before: it is far below where rounding could wrap. */
static uint64_t round_to(uint64_t bytes, uint64_t page_bytes)
{
    uint64_t rounded = bytes;
    bool fits = size_round_up(bytes, page_bytes, &rounded);
    assert(fits);
    (void)fits;
    return rounded;
}

/* Without huge pages. */
static uint64_t least_bytes(const struct broker *broker, const struct request *request)
{
    bool acquires = request->kind == REQUEST_ACQUIRE;
    return round_to(acquires ? bytes_wanted(&request->acquire) : request->extend.bytes, broker->options.page_bytes);
}

uint64_t grant_bytes(const struct broker *broker, const struct session *session, const struct request *request)
{
    const struct segment_options options = options_for(broker, session, request);
    uint64_t huge = options.huge_pages != HUGE_PAGES_NEVER ? broker->options.huge_page_bytes : 0;
    uint64_t least = least_bytes(broker, request);
    return huge ? round_to(least, huge) : least;
}

enum location grant_location(const struct broker *broker, const struct request *request)
{
    if (request->kind == REQUEST_ACQUIRE) {
        return request->acquire.location == LOCATION_UNSPECIFIED ? LOCATION_RAM : request->acquire.location;
    }
    const struct lease *lease = lease_table_find(&broker->leases, request->extend.lease);
    return lease ? lease->location : LOCATION_RAM;
}

/* Adds a segment that is paid for to its lease. */
static void attach_segment(struct step *step, struct lease *lease, struct segment *segment,
                           const struct request *request)
{
    segment->lease = lease;
    segment->request_id = request->id;
    segment->key = request_key(request);
    TAILQ_INSERT_TAIL(&lease->segments, segment, in_lease);
    lease->extents++;
    session_add_segment(&step->broker->sessions, lease->session);
}

/* Asks the shell to make a segment that is paid for. */
static void begin_segment(struct step *step, struct lease *lease, struct segment *segment, const struct charge *charge,
                          const struct request *request)
{
    segment->charge = *charge;
    attach_segment(step, lease, segment, request);
    struct effect_make *make = segment_begin_making(step, segment);
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
static struct lease *begin_lease(struct step *step, struct session *session, const struct request *request,
                                 const struct segment_options *options, enum location location)
{
    struct broker *broker = step->broker;
    const struct acquire_request *asked = &request->acquire;
    struct lease *lease = NULL;
    uint32_t ttl_ms = asked->ttl_ms ? asked->ttl_ms : broker->options.settings.times.ttl_default_ms;
    const struct lease_terms terms = {
        .id = broker->next_lease,
        .location = location,
        .ttl_ns = ttl_ms * NANOSECONDS_PER_MILLISECOND,
        .options = *options,
        .name = asked->name,
        .file = asked->file,
        .file_bytes = bytes_wanted(asked),
    };
    int error = lease_new(broker, session, &terms, &lease);
    if (error) {
        answer_no_lease(step, session, request->id, error);
        return NULL;
    }
    broker->next_lease++;
    lease->may_spill = asked->location == LOCATION_AUTO && options->huge_pages != HUGE_PAGES_ALWAYS;
    lease->client_prefaults = asked->prefault && !options->prefault;
    lease->learned = asked->learned;
    lease->is_remembered = asked->use_learned;
    return lease;
}

/* A pooled segment is an ordinary one that is there already. */
static bool fits_pool(const struct segment_options *options, const struct session *session)
{
    return options->huge_pages == HUGE_PAGES_NEVER && options->numa_node < 0 && !options->interleave &&
           session->flow->class->quota.charge != CHARGE_CLIENT;
}

/* What is got for a lease: a ready segment, or the charge for one to be made. False: it does not fit now. */
static bool obtain(struct step *step, struct session *session, const struct request *request,
                   const struct segment_options *options, enum file_choice files, struct segment **ret_ready,
                   struct charge *ret_charge, struct denial *ret_denial)
{
    enum location location = grant_location(step->broker, request);
    uint64_t bytes = grant_bytes(step->broker, session, request);
    *ret_ready = NULL;
    if (location != LOCATION_MMAP && fits_pool(options, session)) {
        *ret_ready = pool_take(step, bytes, &session->account);
    }
    if (*ret_ready) {
        *ret_charge = (*ret_ready)->charge;
        return true;
    }
    if (!place_bytes(step, &session->account, bytes, location, files, ret_charge, ret_denial)) {
        return false;
    }
    if (ret_charge->location == LOCATION_MMAP) {
        charge_reduce(ret_charge, least_bytes(step->broker, request));
    }
    return true;
}

static void lend_ready(struct step *step, struct lease *lease, struct segment *segment, const struct request *request)
{
    attach_segment(step, lease, segment, request);
    grant_begin(step, segment);
}

static void begin_grant(struct step *step, struct session *session, const struct request *request,
                        const struct segment_options *options, struct lease *lease, struct segment *ready,
                        const struct charge *charge)
{
    struct segment *segment = ready ? ready : calloc(1, sizeof *segment);
    bool is_new = !lease;
    if (!segment) {
        answer_out_of_tables(step, session->peer, request->id);
    }
    if (segment && is_new) {
        lease = begin_lease(step, session, request, options, charge->location);
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
        lend_ready(step, lease, ready, request);
        return;
    }
    segment->options = *options;
    segment->least_bytes = least_bytes(step->broker, request);
    begin_segment(step, lease, segment, charge, request);
}

static enum attempt try_acquire(struct step *step, struct session *session, const struct request *request,
                                enum file_choice files, struct denial *ret_denial)
{
    const struct acquire_request *asked = &request->acquire;
    const struct segment_options options = options_for(step->broker, session, request);
    struct charge charge;
    struct segment *ready;
    if (!check_acquire(step, session, request, bytes_wanted(asked)) ||
        !check_huge_pages(step, session, request, options.huge_pages)) {
        return ATTEMPT_ANSWERED;
    }
    const struct segment *holder = file_holder(step->broker, asked->file);
    if (holder && !holder->charge.freeing) {
        answer_error(step, session->peer, request->id, ERROR_BUSY, "lease %llu has the file \"%s\"; release that first",
                     (unsigned long long)holder->lease->id, asked->file);
        return ATTEMPT_ANSWERED;
    }
    if (holder) { /* it is being let go of */
        *ret_denial = (struct denial){.code = ERROR_BUSY, .location = LOCATION_MMAP};
        ret_denial->excess = (struct ledger_excess){.account = &step->broker->host,
                                                    .limit = LEDGER_MAX_MAPPED_BYTES,
                                                    .asked_bytes = holder->charge.bytes,
                                                    .fits_ever = true,
                                                    .frees_suffice = true};
        return ATTEMPT_SHORT;
    }
    const struct party *full = flow_full_of_leases(session->flow);
    if (full) {
        *ret_denial = denial_of_leases(full);
        return ATTEMPT_SHORT;
    }
    files = options.huge_pages == HUGE_PAGES_ALWAYS ? FILE_NEVER : files; /* a file has none */
    if (!obtain(step, session, request, &options, files, &ready, &charge, ret_denial)) {
        return ATTEMPT_SHORT;
    }
    begin_grant(step, session, request, &options, NULL, ready, &charge);
    return ATTEMPT_ANSWERED;
}

static struct lease *lease_to_extend(struct step *step, struct session *session, const struct request *request)
{
    struct lease *lease = lease_table_find(&step->broker->leases, request->extend.lease);
    if (lease && lease->session == session && lease->state == LEASE_ALIVE) {
        if (lease->extents < LEASE_EXTENTS_MAX) {
            return lease;
        }
        answer_error(step, session->peer, request->id, ERROR_TOO_MANY,
                     "lease %llu has %u segments, and can't have more; acquire another lease",
                     (unsigned long long)lease->id, lease->extents);
        return NULL;
    }
    enum end_reason reason = session_recall(session, request->extend.lease);
    answer_error(step, session->peer, request->id, reason == END_NONE ? ERROR_NO_SUCH_LEASE : ERROR_LEASE_ENDED,
                 "lease %llu can't be extended: %s", (unsigned long long)request->extend.lease,
                 reason == END_NONE ? "this session has no such lease" : ending_words(reason));
    return NULL;
}

static enum attempt try_extend(struct step *step, struct session *session, const struct request *request,
                               struct denial *ret_denial)
{
    struct charge charge;
    struct segment *ready;
    struct lease *lease = check_extend(step, session, request) ? lease_to_extend(step, session, request) : NULL;
    const struct segment_options options = options_for(step->broker, session, request);
    if (!lease || !check_huge_pages(step, session, request, options.huge_pages)) {
        return ATTEMPT_ANSWERED;
    }
    if (!obtain(step, session, request, &options, FILE_UNLESS_FREEING, &ready, &charge, ret_denial)) {
        return ATTEMPT_SHORT;
    }
    begin_grant(step, session, request, &options, lease, ready, &charge);
    return ATTEMPT_ANSWERED;
}

enum attempt grant_try(struct step *step, struct session *session, const struct request *request,
                       enum file_choice files, struct denial *ret_denial)
{
    return request->kind == REQUEST_ACQUIRE ? try_acquire(step, session, request, files, ret_denial)
                                            : try_extend(step, session, request, ret_denial);
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
    grant_answer(step, segment, segment->request_id);
}

/* Bytes that huge pages would have taken are nobody's. */
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
        answer_error(step, session->peer, segment->request_id, ERROR_LEASE_ENDED, "lease %llu ended meanwhile: %s",
                     (unsigned long long)lease->id, ending_words(lease->end_reason));
        segment_begin_freeing(step, segment);
        return;
    }
    grant_begin(step, segment);
}
