/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping and restoring blocks and views. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/location.h"
#include "daemon/core/restore_parts.h"
#include "proto/base/size.h"

/* ---- keeping ---- */

static void keep_publisher(const struct lease *lease, struct kept_block *ret)
{
    ret->has_publisher = true;
    ret->segment.lease = lease->id;
    ret->segment.session = lease->session->id;
    ret->segment.slot = lease->slot;
    ret->segment.generation = lease->generation;
    ret->segment.ttl_ms = (uint32_t)(lease->ttl_ns / NANOSECONDS_PER_MILLISECOND);
    memcpy(ret->segment.name, lease->name, sizeof ret->segment.name);
}

bool broker_keep_block(const struct broker *broker, uint64_t id, uint64_t now, struct kept_block *ret)
{
    const struct segment *segment = segment_find(broker, id);
    const struct block *block = segment ? segment->block : NULL;
    if (!block || block->state == BLOCK_WRITING) {
        return false;
    }
    const struct share *share = block->share;
    *ret = (struct kept_block){
        .segment = {.id = id,
                    .key = segment->key,
                    .bytes = segment->charge.bytes,
                    .location = segment->charge.location,
                    .options = segment->options,
                    .has_huge_pages = segment->has_huge_pages},
        .id = block->id,
        .owner = block->owner,
        .user = share->user->id,
        .group = share->group ? share->group->id : KEPT_NO_GROUP,
        .lifetime = block->lifetime,
        .access = block->access,
        .gid = block->gid,
        .keep_ns = block->keep_ns,
        .age_ns = size_subtract_floored(now, block->published_at),
        .ended = block->ended,
        .metadata = {block->metadata, block->metadata_count},
    };
    memcpy(ret->class, share->class->name, sizeof ret->class);
    memcpy(ret->name, block->name, sizeof ret->name);
    memcpy(ret->type, block->type, sizeof ret->type);
    if (block->publisher) {
        keep_publisher(block->publisher, ret);
    }
    return true;
}

bool broker_keep_view(const struct broker *broker, uint64_t id, struct kept_view *ret)
{
    const struct lease *lease = lease_table_find(&broker->leases, id);
    if (!lease || !lease->block || lease->block->publisher == lease) {
        return false;
    }
    *ret = (struct kept_view){.lease = id,
                              .session = lease->session->id,
                              .block = lease->block->id,
                              .slot = lease->slot,
                              .generation = lease->generation,
                              .ttl_ms = (uint32_t)(lease->ttl_ns / NANOSECONDS_PER_MILLISECOND)};
    return true;
}

/* ---- restoring ---- */

static bool are_terms_good(const struct kept_block *kept)
{
    return restore_is_number(kept->id) && kept->name[0] && kept->lifetime <= LIFETIME_CACHE &&
           kept->access <= BLOCK_ACCESS_ALL && kept->ended < END_REASONS &&
           kept->metadata.count <= MESSAGE_METADATA_MAX && (!kept->keep_ns || kept->lifetime == LIFETIME_KEEP);
}

static bool is_good(const struct broker *broker, const struct kept_block *kept)
{
    const struct kept_segment *segment = &kept->segment;
    return are_terms_good(kept) && restore_is_number(segment->id) && restore_is_size(broker, segment->bytes) &&
           location_holds_bytes(segment->location) &&
           (location_has_seals(segment->location) || kept->access == BLOCK_ACCESS_USER) &&
           (!kept->has_publisher ||
            restore_is_lease(broker, segment->session, segment->lease, segment->slot, segment->generation));
}

/* Its publisher's, if it has one. Referenced. */
static struct share *share_of(struct broker *broker, const struct kept_block *kept, const struct session *publisher)
{
    const struct identity identity = {.uid = kept->user, .gid = kept->group};
    if (!publisher) {
        return share_join_class(&broker->principals, &identity, kept->class);
    }
    publisher->share->references++;
    return publisher->share;
}

static struct block *new_block(struct broker *broker, const struct kept_block *kept, const struct session *publisher)
{
    struct share *share = share_of(broker, kept, publisher);
    const struct block_terms terms = {.id = kept->id,
                                      .owner = kept->owner,
                                      .lifetime = kept->lifetime,
                                      .access = kept->access,
                                      .gid = kept->gid,
                                      .keep_ns = kept->keep_ns,
                                      .name = kept->name,
                                      .type = kept->type,
                                      .metadata = kept->metadata};
    struct block *block = share ? block_new(broker, share, &terms) : NULL;
    if (share) {
        share_leave(&broker->principals, share);
    }
    return block;
}

static struct lease *new_lease(struct broker *broker, struct session *session, const struct kept_view *kept,
                               enum location location, const char *name, uint64_t now)
{
    const struct lease_terms terms = {.id = kept->lease,
                                      .location = location,
                                      .ttl_ns = kept->ttl_ms * NANOSECONDS_PER_MILLISECOND,
                                      .options = {.numa_node = -1},
                                      .name = name,
                                      .file = "",
                                      .is_restored = true,
                                      .slot = kept->slot,
                                      .generation = kept->generation};
    return restore_lease(broker, session, &terms, now);
}

static struct lease *new_publisher(struct broker *broker, struct session *session, const struct kept_segment *kept,
                                   uint64_t now)
{
    const struct kept_view as_view = {
        .lease = kept->lease, .slot = kept->slot, .generation = kept->generation, .ttl_ms = kept->ttl_ms};
    return new_lease(broker, session, &as_view, kept->location, kept->name, now);
}

/* What the daemon before did not come to do is done. */
static enum end_reason reason_of_end(const struct broker *broker, const struct kept_block *kept)
{
    bool is_taken = block_table_named(&broker->blocks, kept->owner, kept->name);
    bool is_over = kept->lifetime == LIFETIME_SESSION && !kept->has_publisher;
    return kept->ended ? kept->ended : is_taken ? END_REPLACED : is_over ? END_SHUTDOWN : END_NONE;
}

static void enter(struct broker *broker, struct block *block, struct lease *publisher, const struct kept_block *kept,
                  uint64_t now)
{
    uint64_t left = size_subtract_floored(kept->keep_ns, kept->age_ns);
    enum end_reason ended = reason_of_end(broker, kept);
    broker->blocks.has_untold |= kept->has_untold;
    block->published_at = size_subtract_floored(now, kept->age_ns);
    if (publisher) {
        block->publisher = publisher;
        publisher->block = block;
    }
    if (!ended) {
        block_publish_again(broker, block, kept->keep_ns ? size_add_saturated(now, left) : 0);
        return;
    }
    block_condemn_again(broker, block, ended);
    if (publisher && ended == END_EVICTED) {
        block_note_evicted(broker, block);
    }
}

static int make(struct broker *broker, struct session *session, const struct kept_block *kept, void *handle,
                uint64_t now)
{
    struct segment *segment = calloc(1, sizeof *segment);
    struct block *block = segment ? new_block(broker, kept, session) : NULL;
    struct lease *publisher = block && session ? new_publisher(broker, session, &kept->segment, now) : NULL;
    if (!block || (session && !publisher)) {
        if (block) {
            block_free(broker, block);
        }
        free(segment);
        return -ENOMEM;
    }
    restore_enter_segment(broker, segment, &kept->segment, &block->account, handle);
    segment->state = SEGMENT_LIVE;
    segment->is_published = true;
    segment->block = block;
    block->segment = segment;
    enter(broker, block, publisher, kept, now);
    restore_skip(&broker->next_block, kept->id);
    return 0;
}

int broker_restore_block(struct broker *broker, const struct kept_block *kept, void *handle, uint64_t now)
{
    struct session *session = kept->has_publisher ? session_table_find(&broker->sessions, kept->segment.session) : NULL;
    if (kept->has_publisher && !session) {
        return -ENOENT;
    }
    if (segment_find(broker, kept->segment.id) || block_table_find(&broker->blocks, kept->id)) {
        return -EEXIST;
    }
    return is_good(broker, kept) ? make(broker, session, kept, handle, now) : -EINVAL;
}

int broker_restore_view(struct broker *broker, const struct kept_view *kept, uint64_t now)
{
    struct session *session = session_table_find(&broker->sessions, kept->session);
    struct block *block = block_table_find(&broker->blocks, kept->block);
    if (!session || !block) {
        return -ENOENT;
    }
    if (!restore_is_lease(broker, kept->session, kept->lease, kept->slot, kept->generation)) {
        return -EINVAL;
    }
    struct lease *lease = new_lease(broker, session, kept, block->segment->charge.location, block->name, now);
    if (!lease) {
        return -ENOMEM;
    }
    block_add_view(broker, block, lease);
    if (block->state == BLOCK_CONDEMNED) {
        block_set_grace(broker, block, now);
    }
    return 0;
}

/* ---- everything is restored ---- */

static bool is_left(const struct block *block)
{
    return block->state == BLOCK_CONDEMNED && !block->publisher && !block->view_count;
}

/* Those who had them were told before the record of their view went. Else they are, when they resume their sessions. */
static void leave_blocks(struct broker *broker, uint64_t now)
{
    struct block_table *table = &broker->blocks;
    struct block *block = block_table_next(table, 0);
    uint64_t grace = broker->options.settings.times.reconnect_grace_ms * NANOSECONDS_PER_MILLISECOND;
    table->left_until = table->has_untold ? size_add_saturated(now, grace) : now;
    for (; block; block = block_table_next(table, block->id)) {
        if (is_left(block)) {
            block_table_unlist(table, block);
            block_begin_freeing(block);
            block->segment->state = SEGMENT_FREEING;
            charge_begin_free(&block->segment->charge);
            TAILQ_INSERT_TAIL(&table->left, block, in_left);
        }
    }
}

void broker_restore_done(struct broker *broker, uint64_t now)
{
    struct session *session = session_table_next(&broker->sessions, 0);
    leave_blocks(broker, now);
    broker->reservations.is_draining = broker->reservations.count > 0;
    for (; session; session = session_table_next(&broker->sessions, session->id)) {
        slot_table_relist(&session->slots);
    }
}
