/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping and restoring the tables. */
#include "daemon/core/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/restore_parts.h"
#include "daemon/core/revocable.h"
#include "proto/base/size.h"
#include "proto/control_page.h"

/* ---- keeping ---- */

bool broker_keep_session(const struct broker *broker, uint64_t id, struct kept_session *ret)
{
    const struct session *session = session_table_find(&broker->sessions, id);
    if (!session) {
        return false;
    }
    *ret = (struct kept_session){.id = id,
                                 .identity = session->identity,
                                 .token = session->token,
                                 .limits = session->account.limits,
                                 .control_groups = session->control_groups};
    memcpy(ret->name, session->name, sizeof ret->name);
    return true;
}

bool broker_keep_segment(const struct broker *broker, uint64_t id, struct kept_segment *ret)
{
    const struct segment *segment = segment_find(broker, id);
    if (!segment || segment->state != SEGMENT_LIVE || segment->doomed || !segment->lease) {
        return false;
    }
    const struct lease *lease = segment->lease;
    /* what a lease of a named file grew by is no part of the file */
    const struct lease_file *file = segment == TAILQ_FIRST(&lease->segments) ? lease->file : NULL;
    *ret = (struct kept_segment){
        .id = id,
        .lease = lease->id,
        .session = lease->session->id,
        .key = segment->key,
        .bytes = segment->charge.bytes,
        .location = segment->charge.location,
        .options = segment->options,
        .has_huge_pages = segment->has_huge_pages,
        .is_publishable = lease->is_publishable,
        .slot = lease->slot,
        .generation = lease->generation,
        .ttl_ms = (uint32_t)(lease->ttl_ns / NANOSECONDS_PER_MILLISECOND),
        .file_bytes = file ? file->bytes : 0,
    };
    memcpy(ret->name, lease->name, sizeof ret->name);
    if (file) {
        memcpy(ret->file, file->name, sizeof ret->file);
    }
    return true;
}

struct kept_numbers broker_keep_numbers(const struct broker *broker)
{
    return (struct kept_numbers){broker->next_session - 1, broker->next_lease - 1, broker->next_segment - 1,
                                 broker->next_block - 1};
}

/* ---- restoring ---- */

/* Numbers and sums beyond these were never given out: what says so is damaged, and counting on from it would wrap. */
#define NUMBER_MAX (UINT64_MAX / 2)
#define SUM_MAX    (UINT64_MAX / 4)

bool restore_is_number(uint64_t number)
{
    return number > 0 && number <= NUMBER_MAX;
}

void restore_skip(uint64_t *next, uint64_t used)
{
    if (*next <= used && used <= NUMBER_MAX) {
        *next = used + 1;
    }
}

void broker_restore_numbers(struct broker *broker, const struct kept_numbers *numbers)
{
    restore_skip(&broker->next_session, numbers->session);
    restore_skip(&broker->next_lease, numbers->lease);
    restore_skip(&broker->next_segment, numbers->segment);
    restore_skip(&broker->next_block, numbers->block);
}

int broker_restore_session(struct broker *broker, const struct kept_session *kept, void *peer, uint64_t now)
{
    uint64_t grace = broker->options.settings.times.reconnect_grace_ms * NANOSECONDS_PER_MILLISECOND;
    if (!restore_is_number(kept->id)) {
        return -EINVAL;
    }
    if (session_table_find(&broker->sessions, kept->id)) {
        return -EEXIST;
    }
    struct class_reason reason;
    const struct policy_client client = {&kept->identity, kept->name, kept->control_groups};
    struct share *share = share_join(&broker->principals, &client, &reason);
    const struct session_terms terms = {
        .id = kept->id,
        .identity = &kept->identity,
        .limits = &kept->limits,
        .token = &kept->token,
        .name = kept->name,
        .control_groups = kept->control_groups,
        .reason = &reason,
        .room = &kept->room,
        .peer = peer,
    };
    struct session *session = session_new(&broker->sessions, &broker->principals, share, &terms);
    if (!session) {
        return -ENOMEM;
    }
    session->renewed_at = now;
    session_detach(&broker->sessions, session, now + grace);
    restore_skip(&broker->next_session, kept->id);
    return 0;
}

int broker_restore_slot(struct broker *broker, uint64_t session_id, uint32_t slot, uint64_t generation)
{
    struct session *session = session_table_find(&broker->sessions, session_id);
    return session ? slot_restore(&session->slots, slot, generation) : -ENOENT;
}

void *broker_peer_of(const struct broker *broker, uint64_t session_id)
{
    const struct session *session = session_table_find(&broker->sessions, session_id);
    return session ? session->peer : NULL;
}

bool broker_has_slot(const struct broker *broker, uint64_t session_id, uint32_t slot)
{
    const struct session *session = session_table_find(&broker->sessions, session_id);
    return session && slot < session->slots.count && session->slots.slots[slot].generation % 2 == 1;
}

struct lease *restore_lease(struct broker *broker, struct session *session, const struct lease_terms *terms,
                            uint64_t now)
{
    struct lease *lease = NULL;
    if (lease_new(broker, session, terms, &lease) != 0) {
        return NULL;
    }
    lease->has_slot = true;
    lease_table_grant(&broker->leases, lease, now);
    restore_skip(&broker->next_lease, lease->id);
    return lease;
}

static struct lease *new_lease(struct broker *broker, struct session *session, const struct kept_segment *kept,
                               uint64_t now)
{
    const struct lease_terms terms = {
        .id = kept->lease,
        .location = kept->location,
        .ttl_ns = kept->ttl_ms * NANOSECONDS_PER_MILLISECOND,
        .options = kept->options,
        .is_publishable = kept->is_publishable,
        .name = kept->name,
        .file = kept->file,
        .file_bytes = kept->file_bytes,
        .is_restored = true,
        .slot = kept->slot,
        .generation = kept->generation,
    };
    struct lease *lease = restore_lease(broker, session, &terms, now);
    if (lease) {
        revocable_insert(lease);
    }
    return lease;
}

bool restore_is_size(const struct broker *broker, uint64_t bytes)
{
    uint64_t left = SUM_MAX - account_used(&broker->host, LEDGER_MAX_BYTES);
    return bytes > 0 && bytes <= left && bytes % broker->options.page_bytes == 0;
}

static bool is_place(uint64_t lease, uint32_t slot, uint64_t generation)
{
    return restore_is_number(lease) && generation <= NUMBER_MAX && generation % 2 == 1 && slot < CONTROL_SLOTS_MAX;
}

bool restore_is_lease(const struct broker *broker, uint64_t session, uint64_t lease, uint32_t slot, uint64_t generation)
{
    return is_place(lease, slot, generation) && !lease_table_find(&broker->leases, lease) &&
           !broker_has_slot(broker, session, slot);
}

static bool is_sane(const struct broker *broker, const struct kept_segment *kept)
{
    return restore_is_number(kept->id) && restore_is_size(broker, kept->bytes) &&
           is_place(kept->lease, kept->slot, kept->generation) && location_holds_bytes(kept->location);
}

/* A lease of a block's publisher, or a view, has no such segments. */
static bool contradicts(const struct broker *broker, const struct lease *lease, const struct kept_segment *kept)
{
    bool is_taken = !lease && (broker_has_slot(broker, kept->session, kept->slot) ||
                               (kept->file[0] && lease_table_find_file(&broker->leases, kept->file)));
    return !is_sane(broker, kept) || is_taken ||
           (lease && (lease->session->id != kept->session || lease->location != kept->location ||
                      lease->slot != kept->slot || lease->block || lease->extents >= LEASE_EXTENTS_MAX));
}

void restore_enter_segment(struct broker *broker, struct segment *segment, const struct kept_segment *kept,
                           struct account *account, void *handle)
{
    segment->id = kept->id;
    segment->has_huge_pages = kept->has_huge_pages;
    segment->options = kept->options;
    segment->key = kept->key;
    segment->handle = handle;
    ledger_restore(account, kept->location, kept->bytes, &segment->charge);
    segment_tree_insert(broker, segment);
    restore_skip(&broker->next_segment, kept->id);
}

int broker_restore_freeing(struct broker *broker, const struct kept_segment *kept, void *handle, uint64_t now)
{
    if (segment_find(broker, kept->id)) {
        return -EEXIST;
    }
    if (!restore_is_number(kept->id) || !restore_is_size(broker, kept->bytes) ||
        !location_holds_bytes(kept->location)) {
        return -EINVAL;
    }
    struct segment *segment = calloc(1, sizeof *segment);
    if (!segment) {
        return -ENOMEM;
    }
    restore_enter_segment(broker, segment, kept, &broker->host, handle);
    segment->state = SEGMENT_FREEING;
    segment->freeing_since = now;
    charge_begin_free(&segment->charge);
    return 0;
}

int broker_restore_segment(struct broker *broker, const struct kept_segment *kept, void *handle, uint64_t now)
{
    struct session *session = session_table_find(&broker->sessions, kept->session);
    struct lease *lease = lease_table_find(&broker->leases, kept->lease);
    if (!session) {
        return -ENOENT;
    }
    if (segment_find(broker, kept->id)) {
        return -EEXIST;
    }
    if (contradicts(broker, lease, kept)) {
        return -EINVAL;
    }
    struct segment *segment = calloc(1, sizeof *segment);
    if (segment && !lease) {
        lease = new_lease(broker, session, kept, now);
    }
    if (!segment || !lease) {
        free(segment);
        return -ENOMEM;
    }
    restore_enter_segment(broker, segment, kept, &session->account, handle);
    segment->state = SEGMENT_LIVE;
    lease_attach(broker, lease, segment);
    lease_grow(lease, kept->bytes);
    return 0;
}
