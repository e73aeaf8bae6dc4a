/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Granting: a request is checked, its bytes are reserved, the shell is asked for the segment, and when
 * the segment is there the lease begins. A request that fails at any point leaves nothing behind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

/* More than any host has; keeps every sum far from overflow. */
#define REQUEST_BYTES_MAX (UINT64_C(1) << 56)

/* ---- checks; each answers and returns false where the request can't be served ---- */

static bool check_size(struct step *step, const struct session *session, const struct request *request, uint64_t bytes)
{
    if (bytes == 0 || bytes > REQUEST_BYTES_MAX) {
        answer_error(step, session->peer, request->id, ERROR_INVALID,
                     "%llu bytes can't be leased; ask for at least 1 and at most %llu", (unsigned long long)bytes,
                     (unsigned long long)REQUEST_BYTES_MAX);
        return false;
    }
    return true;
}

static bool check_ttl(struct step *step, const struct session *session, const struct request *request)
{
    const struct lease_times *times = &step->broker->options.settings.times;
    uint32_t ttl = request->acquire.ttl_ms;
    char asked[SIZE_TEXT_BYTES], least[SIZE_TEXT_BYTES], most[SIZE_TEXT_BYTES];
    if (ttl == 0 || (ttl >= times->ttl_min_ms && ttl <= times->ttl_max_ms)) {
        return true;
    }
    answer_error(step, session->peer, request->id, ERROR_INVALID,
                 "a TTL of %s was asked for, and this broker grants %s to %s ([leases] min_ttl and max_ttl); ask for "
                 "one between them, or 0 for the default",
                 duration_to_text(ttl, asked), duration_to_text(times->ttl_min_ms, least),
                 duration_to_text(times->ttl_max_ms, most));
    return false;
}

static bool check_options(struct step *step, const struct session *session, const struct request *request)
{
    const struct acquire_request *asked = &request->acquire;
    bool ram_only = asked->huge_pages != HUGE_PAGES_NEVER || asked->numa_node >= 0 || asked->prefault;
    if (asked->location == LOCATION_MMAP && ram_only) {
        answer_error(step, session->peer, request->id, ERROR_INVALID,
                     "huge pages, a NUMA node and prefault go with location RAM or AUTO only; a mapped file is always "
                     "allocated in full");
        return false;
    }
    if (asked->huge_pages == HUGE_PAGES_ALWAYS && !step->broker->options.huge_page_bytes) {
        answer_error(step, session->peer, request->id, ERROR_NOT_SUPPORTED,
                     "this host has no huge pages; ask with TRY, or have the administrator reserve some "
                     "(vm.nr_hugepages)");
        return false;
    }
    return true;
}

static bool check_file(struct step *step, const struct session *session, const struct request *request)
{
    if (request->acquire.file[0] && request->acquire.location != LOCATION_MMAP) {
        answer_error(step, session->peer, request->id, ERROR_INVALID, "a named file goes with location MMAP only");
        return false;
    }
    return true;
}

/* The segment that has this file; NULL: none has. Named files are few, and asked for rarely. */
static const struct segment *file_holder(const struct broker *broker, const char *file)
{
    const struct segment *segment = file[0] ? segment_tree_next(broker, 0) : NULL;
    for (; segment; segment = segment_tree_next(broker, segment->id)) {
        if (strcmp(segment->lease->file, file) == 0) {
            return segment;
        }
    }
    return NULL;
}

/* A named file that is longer than what was asked for sets the size. */
static uint64_t bytes_wanted(const struct acquire_request *asked)
{
    return asked->file[0] && asked->file_bytes > asked->bytes ? asked->file_bytes : asked->bytes;
}

static bool check_open(struct step *step, const struct session *session, const struct request *request)
{
    if (step->broker->shutting_down) {
        answer_error(step, session->peer, request->id, ERROR_SHUTTING_DOWN,
                     "the broker is shutting down and grants nothing any more");
        return false;
    }
    return true;
}

/* ---- making ---- */

static uint64_t page_bytes_for(const struct broker *broker, const struct segment_options *options)
{
    bool huge = options->huge_pages != HUGE_PAGES_NEVER && broker->options.huge_page_bytes;
    return huge ? broker->options.huge_page_bytes : broker->options.page_bytes;
}

static void out_of_tables(struct step *step, const struct session *session, uint64_t request_id)
{
    answer_error(step, session->peer, request_id, ERROR_SYSTEM, "the broker is out of memory for its own tables");
}

/* Adds a segment that is paid for to its lease and asks the shell to make it. */
static void begin_segment(struct step *step, struct lease *lease, struct segment *segment, const struct charge *charge,
                          const struct request *request)
{
    struct broker *broker = step->broker;
    segment->id = broker->next_segment++;
    segment->lease = lease;
    segment->state = SEGMENT_MAKING;
    segment->charge = *charge;
    segment->request_id = request->id;
    segment->key = request_key(request);
    TAILQ_INSERT_TAIL(&lease->segments, segment, in_lease);
    lease->extents++;
    lease->session->segment_count++;
    segment_tree_insert(broker, segment);
    place_count_host(broker, segment);
    struct effect_make *make = &effect_push(step->effects, EFFECT_MAKE_SEGMENT)->make;
    *make = (struct effect_make){
        .segment = segment->id, .location = charge->location, .bytes = charge->bytes, .options = segment->options};
    if (lease->state == LEASE_MAKING && lease->file[0]) {
        make->file = lease->file;
        make->file_bytes = lease->file_bytes;
        make->identity = lease->session->identity;
    }
}

/* A lease with a slot, known to the table, that has no segment yet; NULL after an answer. */
static struct lease *begin_lease(struct step *step, struct session *session, const struct request *request)
{
    const struct acquire_request *asked = &request->acquire;
    struct lease *lease = calloc(1, sizeof *lease);
    if (!lease) {
        out_of_tables(step, session, request->id);
        return NULL;
    }
    int error = slot_take(&session->slots, &lease->slot, &lease->generation);
    if (error) {
        free(lease);
        if (error == SLOT_E_FULL) {
            answer_error(step, session->peer, request->id, ERROR_TOO_MANY,
                         "this session has %u leases, and can't have more; extend a lease or open another session",
                         session->slots.capacity_max);
        } else {
            out_of_tables(step, session, request->id);
        }
        return NULL;
    }
    uint32_t ttl_ms = asked->ttl_ms ? asked->ttl_ms : step->broker->options.settings.times.ttl_default_ms;
    lease->id = step->broker->next_lease++;
    lease->session = session;
    lease->state = LEASE_MAKING;
    lease->may_spill = asked->location == LOCATION_AUTO;
    lease->ttl_ns = ttl_ms * NANOSECONDS_PER_MILLISECOND;
    lease->options = (struct segment_options){asked->huge_pages, asked->numa_node, asked->prefault};
    memcpy(lease->name, asked->name, sizeof lease->name);
    memcpy(lease->file, asked->file, sizeof lease->file);
    lease->file_bytes = asked->file[0] ? bytes_wanted(asked) : 0;
    TAILQ_INIT(&lease->segments);
    TAILQ_INSERT_TAIL(&session->leases, lease, in_session);
    session->lease_count++;
    lease_table_add(&step->broker->leases, lease);
    return lease;
}

/* Forgets a lease that never began. */
static void abandon_lease(struct step *step, struct lease *lease)
{
    struct session *session = lease->session;
    slot_give(&session->slots, lease->slot);
    lease_table_remove(&step->broker->leases, lease);
    TAILQ_REMOVE(&session->leases, lease, in_session);
    session->lease_count--;
    free(lease);
}

/* Reserves the bytes; refuses, or says that the request must wait. */
static enum placement reserve(struct step *step, struct session *session, const struct request *request,
                              const struct segment_options *options, enum location location, uint64_t bytes,
                              struct charge *ret_charge)
{
    struct denial denial;
    uint64_t rounded;
    if (!size_round_up(bytes, page_bytes_for(step->broker, options), &rounded)) {
        rounded = UINT64_MAX / 4;
    }
    enum placement placement = place(step->broker, &session->account, rounded, location, ret_charge, &denial);
    if (placement == DENIED) {
        refuse(step, session, request->id, &denial);
    }
    return placement;
}

static bool try_acquire(struct step *step, struct session *session, const struct request *request)
{
    const struct acquire_request *asked = &request->acquire;
    const struct segment_options options = {asked->huge_pages, asked->numa_node, asked->prefault};
    enum location location = asked->location == LOCATION_UNSPECIFIED ? LOCATION_RAM : asked->location;
    struct charge charge;
    uint64_t bytes = bytes_wanted(asked);
    if (!check_open(step, session, request) || !check_file(step, session, request) ||
        !check_size(step, session, request, bytes) || !check_ttl(step, session, request) ||
        !check_options(step, session, request)) {
        return true;
    }
    const struct segment *holder = file_holder(step->broker, asked->file);
    if (holder && !holder->charge.freeing) {
        answer_error(step, session->peer, request->id, ERROR_BUSY, "lease %llu has the file \"%s\"; release that first",
                     (unsigned long long)holder->lease->id, asked->file);
        return true;
    }
    if (holder) {
        return false; /* it is being let go of */
    }
    enum placement placement = reserve(step, session, request, &options, location, bytes, &charge);
    if (placement != PLACED) {
        return placement == DENIED;
    }
    struct segment *segment = calloc(1, sizeof *segment);
    struct lease *lease = segment ? begin_lease(step, session, request) : NULL;
    if (!segment) {
        out_of_tables(step, session, request->id);
    }
    if (!lease) {
        charge_release(&charge);
        free(segment);
        return true;
    }
    lease->location = charge.location;
    segment->options = options;
    begin_segment(step, lease, segment, &charge, request);
    return true;
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
                 reason == END_NONE ? "this session has no such lease" : end_reason_words(reason));
    return NULL;
}

static bool try_extend(struct step *step, struct session *session, const struct request *request)
{
    struct charge charge;
    if (!check_open(step, session, request) || !check_size(step, session, request, request->extend.bytes)) {
        return true;
    }
    struct lease *lease = lease_to_extend(step, session, request);
    if (!lease) {
        return true;
    }
    struct segment_options options = lease->options;
    options.prefault = request->extend.prefault && lease->location == LOCATION_RAM;
    enum placement placement =
        reserve(step, session, request, &options, lease->location, request->extend.bytes, &charge);
    if (placement != PLACED) {
        return placement == DENIED;
    }
    struct segment *segment = calloc(1, sizeof *segment);
    if (!segment) {
        charge_release(&charge);
        out_of_tables(step, session, request->id);
        return true;
    }
    segment->options = options;
    begin_segment(step, lease, segment, &charge, request);
    return true;
}

bool grant_try(struct step *step, struct session *session, const struct request *request)
{
    return request->kind == REQUEST_ACQUIRE ? try_acquire(step, session, request) : try_extend(step, session, request);
}

/* ---- made ---- */

static void begin_freeing(struct step *step, struct segment *segment)
{
    segment->state = SEGMENT_FREEING;
    charge_begin_free(&segment->charge);
    effect_push(step->effects, EFFECT_FREE_SEGMENT)->free =
        (struct effect_free){segment->id, segment->handle, segment->charge.location, segment->charge.bytes};
}

void grant_answer(struct step *step, const struct segment *segment, uint64_t request_id)
{
    const struct lease *lease = segment->lease;
    struct effect *effect = effect_push(step->effects, EFFECT_REPLY);
    effect->reply.peer = lease->session->peer;
    effect->reply.segment_handle = segment->handle;
    effect->reply.reply = (struct reply){.is_answer = true, .reply_to = request_id, .descriptors = 1};
    effect->reply.reply.kind = REPLY_GRANT;
    effect->reply.reply.grant = (struct grant_reply){
        .lease = lease->id,
        .segment = segment->id,
        .bytes = segment->charge.bytes,
        .location = lease->location,
        .ttl_ms = (uint32_t)(lease->ttl_ns / NANOSECONDS_PER_MILLISECOND),
        .slot = lease->slot,
        .generation = lease->generation,
        .huge_pages = segment->has_huge_pages,
        .extents = lease->extents,
        .file_bytes = lease->extents == 1 ? lease->file_bytes : 0,
    };
}

void grant_made(struct step *step, struct segment *segment, const struct input_segment *made)
{
    struct lease *lease = segment->lease;
    struct session *session = lease->session;
    segment->handle = made->handle;
    segment->has_huge_pages = made->has_huge_pages;
    if (session->state == SESSION_OVER && lease->state != LEASE_ENDED) {
        lease_end(step, lease, session->over_reason); /* its turn had not come yet */
    }
    if (segment->doomed) {
        answer_error(step, session->peer, segment->request_id, ERROR_LEASE_ENDED, "lease %llu ended meanwhile: %s",
                     (unsigned long long)lease->id, end_reason_words(lease->end_reason));
        begin_freeing(step, segment);
        return;
    }
    segment->state = SEGMENT_LIVE;
    lease->bytes += segment->charge.bytes;
    if (lease->state == LEASE_MAKING) {
        lease_table_grant(&step->broker->leases, lease, step->now);
        step->broker->counters.granted++;
        lease->has_slot = true;
        effect_push(step->effects, EFFECT_SLOT)->slot =
            (struct effect_slot){session->peer, lease->slot, lease->generation, END_NONE};
    } else {
        step->broker->counters.extended++;
    }
    grant_answer(step, segment, segment->request_id);
}

/* ---- failed ---- */

/* What can go wrong with a named file only; false: something else did. */
static bool explain_file(struct step *step, const struct session *session, const struct segment *segment, int error)
{
    void *peer = session->peer;
    uint64_t id = segment->request_id;
    const char *file = segment->lease->file;
    if (!file[0] || segment->lease->state != LEASE_MAKING) {
        return false;
    }
    if (error == -EBUSY) {
        answer_error(step, peer, id, ERROR_BUSY, "another program has the file \"%s\" locked; end that first", file);
    } else if (error == -EACCES || error == -EPERM) {
        answer_error(
            step, peer, id, ERROR_NOT_PERMITTED,
            "the file \"%s\" is not user %u's, or the broker may not open it or give it to that user; name another, "
            "or run the broker with the right to (CAP_CHOWN, CAP_DAC_OVERRIDE)",
            file, session->identity.uid);
    } else if (error == -EMLINK) {
        answer_error(step, peer, id, ERROR_INVALID, "\"%s\" is no regular file, or has other names (links) too", file);
    } else if (error == -ESTALE) {
        answer_error(step, peer, id, ERROR_BUSY, "the file \"%s\" was made longer meanwhile; ask again", file);
    } else {
        return false;
    }
    return true;
}

static void explain_failure(struct step *step, const struct session *session, const struct segment *segment,
                            const struct input_segment *failed)
{
    char asked[SIZE_TEXT_BYTES], free_text[SIZE_TEXT_BYTES];
    void *peer = session->peer;
    uint64_t id = segment->request_id;
    bool mapped = segment->charge.location == LOCATION_MMAP;
    size_to_text(segment->charge.bytes, asked);
    if (explain_file(step, session, segment, failed->error)) {
        return;
    }
    if (mapped && (failed->error == -ENOSPC || failed->error == -EDQUOT)) {
        answer_error(step, peer, id, ERROR_DISK_FULL,
                     "the spill file system has %s free and %s were asked for; ask for less, release mapped leases, or "
                     "give [mapped] directory more space",
                     size_to_text(failed->disk_free, free_text), asked);
    } else if (!mapped && (failed->error == -ENOMEM || failed->error == -ENOSPC)) {
        answer_error(step, peer, id, ERROR_HOST_MEMORY,
                     "the kernel could not provide %s of %s%s; ask for less, or use location MMAP or AUTO", asked,
                     segment->options.huge_pages == HUGE_PAGES_ALWAYS ? "huge pages" : "RAM",
                     segment->options.numa_node >= 0 ? " on that NUMA node" : "");
    } else if (failed->error == -ENODEV || failed->error == -EOPNOTSUPP) {
        answer_error(step, peer, id, ERROR_NOT_SUPPORTED,
                     "this host has no NUMA node %d to bind to; leave the node out, or see `numactl --hardware`",
                     segment->options.numa_node);
    } else if (failed->error == -EMFILE || failed->error == -ENFILE) {
        answer_error(step, peer, id, ERROR_TOO_MANY,
                     "the broker has no descriptor left for another segment; release leases, or raise its LimitNOFILE");
    } else {
        answer_error(step, peer, id, ERROR_SYSTEM, "the kernel refused a segment of %s: %s", asked,
                     strerrordesc_np(-failed->error));
    }
    struct effect *last = &step->effects->effects[step->effects->count - 1];
    if (id && last->kind == EFFECT_REPLY) {
        last->reply.reply.error.system_errno = (uint32_t)-failed->error;
    }
}

/* RAM could not be had after all: the same segment as a file, if the request allows it and the limits do. */
static bool spill(struct step *step, struct segment *segment)
{
    struct lease *lease = segment->lease;
    struct denial denial;
    struct charge charge;
    if (lease->state != LEASE_MAKING || !lease->may_spill || segment->charge.location != LOCATION_RAM) {
        return false;
    }
    if (place(step->broker, &lease->session->account, segment->charge.bytes, LOCATION_MMAP, &charge, &denial) !=
        PLACED) {
        return false;
    }
    place_uncount_host(step->broker, segment);
    charge_release(&segment->charge);
    segment->charge = charge;
    lease->location = LOCATION_MMAP;
    effect_push(step->effects, EFFECT_MAKE_SEGMENT)->make = (struct effect_make){
        .segment = segment->id, .location = LOCATION_MMAP, .bytes = charge.bytes, .options = {.numa_node = -1}};
    return true;
}

void grant_failed(struct step *step, struct segment *segment, const struct input_segment *failed)
{
    struct lease *lease = segment->lease;
    bool begun = lease->state != LEASE_MAKING;
    if (!segment->doomed && spill(step, segment)) {
        return;
    }
    explain_failure(step, lease->session, segment, failed);
    step->broker->counters.refused++;
    place_uncount_host(step->broker, segment);
    if (begun) {
        segment_drop(step, segment);
        return;
    }
    charge_release(&segment->charge);
    segment_tree_remove(step->broker, segment);
    lease->session->segment_count--;
    free(segment);
    abandon_lease(step, lease);
}
