/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a block, from the request to publish it until its bytes are gone. */
#include "daemon/core/block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/revocable.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* ---- those that may be evicted ---- */

/* A cache that nobody has a view of. */
static bool may_be_evicted(const struct block *block)
{
    return block->state == BLOCK_PUBLISHED && block->lifetime == LIFETIME_CACHE && !block->view_count;
}

/* The list of the account that stands at that place above it; NULL: none does. */
static void list_in(struct account *account, size_t place, struct block *block, bool was_used_last)
{
    if (account && !was_used_last) {
        TAILQ_INSERT_HEAD(&account->idle[block->segment->charge.location], block, in_idle[place]);
    } else if (account) {
        TAILQ_INSERT_TAIL(&account->idle[block->segment->charge.location], block, in_idle[place]);
    }
}

static void unlist_in(struct account *account, size_t place, struct block *block)
{
    if (account) {
        TAILQ_REMOVE(&account->idle[block->segment->charge.location], block, in_idle[place]);
    }
}

static void list_idle(struct block *block, bool was_used_last)
{
    for (size_t i = 0; may_be_evicted(block) && i < ACCOUNT_ABOVE_MAX; i++) {
        list_in(block->account.above[i], i, block, was_used_last);
    }
}

static void unlist_idle(struct block *block)
{
    for (size_t i = 0; may_be_evicted(block) && i < ACCOUNT_ABOVE_MAX; i++) {
        unlist_in(block->account.above[i], i, block);
    }
}

/* It stands under others from now on. Under those that stay it keeps its place; for the others it was used last. */
static void list_under(struct block *block, struct account *const above[ACCOUNT_ABOVE_MAX])
{
    for (size_t i = 0; may_be_evicted(block) && i < ACCOUNT_ABOVE_MAX; i++) {
        if (block->account.above[i] != above[i]) {
            unlist_in(block->account.above[i], i, block);
            list_in(above[i], i, block, true);
        }
    }
}

/* ---- beginning ---- */

static uint8_t *copy_metadata(const struct message_bytes *metadata)
{
    uint8_t *copy = malloc(metadata->count);
    if (copy) {
        memcpy(copy, metadata->data, metadata->count);
    }
    return copy;
}

struct block *block_new(struct broker *broker, struct share *share, const struct block_terms *terms)
{
    static const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    struct account *above[ACCOUNT_ABOVE_MAX];
    uint8_t *metadata = terms->metadata.count ? copy_metadata(&terms->metadata) : NULL;
    struct block *block = metadata || !terms->metadata.count ? calloc(1, sizeof *block) : NULL;
    if (!block) {
        free(metadata);
        return NULL;
    }
    block->id = terms->id ? terms->id : broker->next_block++;
    block->owner = terms->owner;
    block->lifetime = terms->lifetime;
    block->access = terms->access;
    block->gid = terms->access == BLOCK_ACCESS_GROUP ? terms->gid : 0;
    block->keep_ns = terms->keep_ns;
    block->metadata = metadata;
    block->metadata_count = terms->metadata.count;
    text_copy(block->name, sizeof block->name, terms->name);
    text_copy(block->type, sizeof block->type, terms->type);
    TAILQ_INIT(&block->views);
    account_init(&block->account, "block", &none);
    share_accounts(&broker->principals, share, above);
    account_move(&block->account, above);
    block->share = share;
    share->references++;
    share->user->blocks++;
    return block;
}

void block_join(struct broker *broker, struct block *block, struct share *share)
{
    struct account *above[ACCOUNT_ABOVE_MAX];
    struct share *before = block->share;
    share_accounts(&broker->principals, share, above);
    list_under(block, above);
    account_move(&block->account, above);
    block->share = share;
    share_leave(&broker->principals, before);
}

void block_free(struct broker *broker, struct block *block)
{
    assert(!block->publisher && !block->view_count);
    account_deinit(&block->account);
    block->share->user->blocks -= block->state != BLOCK_FREEING;
    share_leave(&broker->principals, block->share);
    free(block->metadata);
    free(block);
}

void block_take_segment(struct block *block, struct segment *segment)
{
    uint64_t bytes = segment->charge.bytes;
    enum location location = segment->charge.location;
    charge_release(&segment->charge);
    ledger_restore(&block->account, location, bytes, &segment->charge);
    segment->lease = NULL;
    segment->block = block;
    block->segment = segment;
}

static void take_from(struct broker *broker, struct block *block, struct lease *lease)
{
    struct segment *segment = TAILQ_FIRST(&lease->segments);
    session_note_use(lease->session, lease, 0);
    revocable_remove(lease);
    TAILQ_INIT(&lease->segments); /* it was the only one */
    lease->extents--;
    lease->bytes = 0;
    session_remove_segment(&broker->sessions, lease->session);
    block_take_segment(block, segment);
}

void block_publish(struct broker *broker, struct block *block, struct lease *lease, uint64_t now)
{
    struct block_table *table = &broker->blocks;
    take_from(broker, block, lease);
    block->state = BLOCK_PUBLISHED;
    block->published_at = now;
    block_table_add(table, block);
    block_table_add_name(table, block);
    block_table_set_due(table, block, block->keep_ns ? size_add_saturated(now, block->keep_ns) : 0);
    list_idle(block, true);
    broker->names_changed = true;
    watch_table_note(&broker->watches, block, END_NONE);
}

void block_publish_again(struct broker *broker, struct block *block, uint64_t due)
{
    struct block_table *table = &broker->blocks;
    block->state = BLOCK_PUBLISHED;
    block_table_add(table, block);
    block_table_add_name(table, block);
    block_table_set_due(table, block, due);
    list_idle(block, false);
}

void block_condemn_again(struct broker *broker, struct block *block, enum end_reason reason)
{
    block->state = BLOCK_CONDEMNED;
    block->ended = reason;
    block_table_add(&broker->blocks, block);
    block_table_bury(&broker->blocks, block);
}

/* ---- views ---- */

bool block_admits(enum block_access access, uint32_t owner, uint32_t gid, const struct identity *identity)
{
    return access == BLOCK_ACCESS_ALL || identity->uid == owner ||
           (access == BLOCK_ACCESS_GROUP && identity_has_group(identity, gid));
}

static bool is_foreign(const struct block *block, const struct lease *view)
{
    return view->session->identity.uid != block->owner;
}

void block_add_view(struct broker *broker, struct block *block, struct lease *lease)
{
    unlist_idle(block);
    lease->block = block;
    TAILQ_INSERT_TAIL(&block->views, lease, in_views);
    block->view_count++;
    broker->blocks.figures.views++;
    block->foreign_count += is_foreign(block, lease);
    lease->session->share->user->views++;
}

/* ---- end ---- */

void block_note_evicted(struct broker *broker, struct block *block)
{
    block->is_evicting = true;
    TAILQ_INSERT_TAIL(&broker->blocks.evicting, block, in_evicting);
    charge_begin_free(&block->segment->charge);
}

void block_note_unkept(struct broker *broker, struct block *block)
{
    assert(!block->is_unkept);
    block->is_unkept = true;
    TAILQ_INSERT_TAIL(&broker->blocks.unkept, block, in_unkept);
}

void block_begin_freeing(struct block *block)
{
    block->state = BLOCK_FREEING;
    block->share->user->blocks--;
}

static void free_if_left(struct step *step, struct block *block)
{
    struct block_table *table = &step->broker->blocks;
    if (block->state == BLOCK_CONDEMNED && !block->publisher && !block->view_count) {
        if (block->is_unkept) {
            TAILQ_REMOVE(&table->unkept, block, in_unkept);
            block->is_unkept = false;
        }
        block_table_set_due(table, block, 0);
        block_table_unlist(table, block);
        block_begin_freeing(block);
        segment_begin_freeing(step, block->segment);
    }
}

struct effect_block *block_tell(struct step *step, const struct block *block, enum block_change change)
{
    struct effect_block *effect = &effect_push(step->effects, EFFECT_BLOCK)->block;
    *effect = (struct effect_block){.change = change,
                                    .block = block->id,
                                    .owner = block->owner,
                                    .charged_uid = block->share->user->id,
                                    .bytes = block->segment->charge.bytes,
                                    .location = block->segment->charge.location,
                                    .lifetime = block->lifetime,
                                    .reason = block->ended,
                                    .segment_handle = block->segment->handle};
    text_copy(effect->name, sizeof effect->name, block->name);
    text_copy(effect->class, sizeof effect->class, block->share->class->name);
    if (block->publisher) {
        const struct session *session = block->publisher->session;
        effect->session = session->id;
        effect->pid = session->identity.pid;
        text_copy(effect->client, sizeof effect->client, session->name);
    }
    return effect;
}

static void tell_end(struct step *step, const struct block *block, const struct identity *by)
{
    struct effect_block *effect = block_tell(step, block, BLOCK_CHANGE_ENDED);
    effect->has_by = by;
    if (by) {
        effect->by_pid = by->pid;
        effect->by_uid = by->uid;
    }
}

void block_set_grace(struct broker *broker, struct block *block, uint64_t now)
{
    uint64_t grace = broker->options.settings.sharing.grace_ms * NANOSECONDS_PER_MILLISECOND;
    block_table_set_due(&broker->blocks, block, block->foreign_count ? size_add_saturated(now, grace) : 0);
}

void block_condemn(struct step *step, struct block *block, enum end_reason reason, const struct identity *by)
{
    struct block_table *table = &step->broker->blocks;
    assert(block->state == BLOCK_PUBLISHED);
    unlist_idle(block);
    block_table_remove_name(table, block);
    block->state = BLOCK_CONDEMNED;
    block->ended = reason;
    block_table_bury(table, block);
    watch_table_note(&step->broker->watches, block, reason);
    block_set_grace(step->broker, block, step->now);
    tell_end(step, block, by);
    free_if_left(step, block);
}

static void remove_view(struct step *step, struct block *block, struct lease *lease)
{
    TAILQ_REMOVE(&block->views, lease, in_views);
    block->view_count--;
    step->broker->blocks.figures.views--;
    block->foreign_count -= is_foreign(block, lease);
    lease->session->share->user->views--;
    list_idle(block, true);
}

/* Without its publisher a block lives on only if it is to. */
static void lose_publisher(struct step *step, struct block *block, enum end_reason reason)
{
    if (block->is_evicting) {
        TAILQ_REMOVE(&step->broker->blocks.evicting, block, in_evicting);
        block->is_evicting = false;
    }
    if (block->state == BLOCK_PUBLISHED && block->lifetime == LIFETIME_SESSION) {
        block_condemn(step, block, reason, NULL); /* while it is still known whose it was */
    }
    block->publisher = NULL;
}

/* Its segment is still the lease's, and is freed with that when it is sealed. */
static void abandon(struct step *step, struct block *block, const struct lease *lease)
{
    answer_error(step, lease->session->peer, block->request_id, ERROR_LEASE_ENDED,
                 "lease %llu ended before it was published: %s", (unsigned long long)lease->id,
                 end_reason_text(lease->end_reason));
    block->segment->block = NULL;
    block->publisher = NULL;
    block_free(step->broker, block);
}

void block_leave(struct step *step, struct lease *lease)
{
    struct block *block = lease->block;
    lease->block = NULL;
    if (block->state == BLOCK_WRITING) {
        abandon(step, block, lease);
        return;
    }
    if (block->publisher == lease) {
        lose_publisher(step, block, lease->end_reason);
    } else {
        remove_view(step, block, lease);
    }
    free_if_left(step, block);
}
