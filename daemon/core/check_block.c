/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks: who has each, which names there are, what may be evicted, and who waits. */
#include "daemon/core/check.h"

#include <string.h>

static bool has_smaller_id(const struct block *a, const struct block *b)
{
    return a->id < b->id;
}

static bool has_smaller_name(const struct block *a, const struct block *b)
{
    return a->owner < b->owner || (a->owner == b->owner && strcmp(a->name, b->name) < 0);
}

static bool is_due_before(const struct block *a, const struct block *b)
{
    return a->due < b->due || (a->due == b->due && a->id < b->id);
}

static bool has_smaller_owner(const struct block *a, const struct block *b)
{
    return a->owner < b->owner || (a->owner == b->owner && a->id < b->id);
}

static bool has_less_access(const struct block *a, const struct block *b)
{
    if (a->access != b->access) {
        return a->access < b->access;
    }
    return a->gid < b->gid || (a->gid == b->gid && a->id < b->id);
}

CHECK_TREE(check_owners, block, by_owner, has_smaller_owner)
CHECK_TREE(check_access, block, by_access, has_less_access)
CHECK_TREE(check_ids, block, by_id, has_smaller_id)
CHECK_TREE(check_names, block, by_name, has_smaller_name)
CHECK_TREE(check_dues, block, by_due, is_due_before)

struct counts {
    uint64_t blocks, listed, shared, named, due, idle /* places in lists */, evicting, unkept, views, bytes[LIFETIMES];
};

static bool is_idle(const struct block *block)
{
    return block->state == BLOCK_PUBLISHED && block->lifetime == LIFETIME_CACHE && !block->view_count;
}

static uint64_t accounts_above(const struct block *block)
{
    uint64_t count = 0;
    for (size_t i = 0; i < ACCOUNT_ABOVE_MAX; i++) {
        count += block->account.above[i] != NULL;
    }
    return count;
}

static const char *check_views(const struct broker *broker, const struct block *block)
{
    const struct lease *view;
    const char *wrong = NULL;
    uint32_t count = 0, foreign = 0;
    TAILQ_FOREACH(view, &block->views, in_views) {
        wrong = require(wrong, view->block == block, "a block has a view of another one");
        wrong =
            require(wrong, lease_table_find(&broker->leases, view->id) == view, "a block has a view that has ended");
        count++;
        foreign += view->session->identity.uid != block->owner;
    }
    wrong = require(wrong, count == block->view_count, "a block miscounts its views (view_count)");
    return require(wrong, foreign == block->foreign_count, "a block miscounts others' views (foreign_count)");
}

/* Only in between two steps. */
static const char *check_state(const struct broker *broker, const struct block *block)
{
    bool is_held = block->publisher || block->view_count;
    const struct block *named = block_table_named(&broker->blocks, block->owner, block->name);
    const char *wrong = NULL;
    wrong = require(wrong, block->state != BLOCK_WRITING, "a block that is being written is in the table");
    wrong = require(wrong, (block->state == BLOCK_PUBLISHED) == (named == block), "a name leads to no published block");
    wrong =
        require(wrong, block->state != BLOCK_CONDEMNED || is_held, "a condemned block that nobody has is not freed");
    wrong = require(wrong, block->state != BLOCK_FREEING || !is_held, "a block is freed that somebody has");
    wrong = require(wrong, block->state != BLOCK_PUBLISHED || block->lifetime != LIFETIME_SESSION || block->publisher,
                    "a session's block has outlived it");
    wrong = require(wrong, (block->state == BLOCK_PUBLISHED) == (block->ended == END_NONE),
                    "a block has ended for no reason, or lives for one");
    wrong = require(wrong, !block->foreign_count || block->state != BLOCK_CONDEMNED || block->due,
                    "others may keep a condemned block forever");
    wrong = require(wrong, block->is_listed == (block->state != BLOCK_FREEING),
                    "a block that is being freed is listed, or another is not");
    return require(wrong, block->id < broker->next_block, "a block's number was not given out yet");
}

static const char *check_publisher(const struct broker *broker, const struct block *block)
{
    const struct lease *publisher = block->publisher;
    const char *wrong = NULL;
    wrong = require(wrong, !publisher || publisher->block == block, "a block is not that of its publisher's lease");
    wrong = require(wrong, !publisher || lease_table_find(&broker->leases, publisher->id) == publisher,
                    "the lease of a block's publisher has ended");
    return require(wrong, !block->is_evicting || publisher, "a block is to lose its publisher, and has none");
}

/* Blocks of a reservation that was given up end. */
static const char *check_class(const struct broker *broker, const struct block *block)
{
    const struct quota *quota = &block->share->class->quota;
    bool is_given_up = quota->is_reservation && quota->max_leases == 0;
    return require(NULL, !is_given_up || broker->reservations.is_draining || block->state == BLOCK_FREEING,
                   "a block of a reservation that is over is forgotten");
}

/* Those that an account lists, which stands at this place above them. */
static const char *check_idle_in(const struct account *account, size_t place, enum location location, uint64_t *count)
{
    const struct block *block;
    const char *wrong = NULL;
    TAILQ_FOREACH(block, &account->idle[location], in_idle[place]) {
        wrong = require(wrong, block->segment->charge.location == location, "an idle block is listed elsewhere");
        wrong = require(wrong, is_idle(block), "a block that may not be evicted is listed as idle");
        wrong =
            require(wrong, block->account.above[place] == account, "a block is listed as idle under another account");
        ++*count;
    }
    return wrong;
}

static const char *check_idle(const struct account *account, size_t place, uint64_t *count)
{
    const char *wrong = NULL;
    FOR_EACH_LOCATION(location)
    {
        wrong = wrong ? wrong : check_idle_in(account, place, location, count);
    }
    return wrong;
}

/* Each place: a share's, those of the kinds of principals, and the host's. */
static const char *check_idle_lists(const struct broker *broker, const struct counts *counts)
{
    const struct share *share;
    const struct principal *principal;
    uint64_t count = 0;
    const char *wrong = check_idle(&broker->host, ACCOUNT_ABOVE_MAX - 1, &count);
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        wrong = wrong ? wrong : check_idle(&share->account, 0, &count);
    }
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        TAILQ_FOREACH(principal, &broker->principals.principals[kind], in_table) {
            wrong = wrong ? wrong : check_idle(&principal->account, 1 + (size_t)kind, &count);
        }
    }
    return require(wrong, count == counts->idle, "a list of idle blocks has others than it should");
}

static const char *check_who_sees(const struct block_table *table, const struct counts *counts)
{
    const struct block *before = NULL;
    const char *wrong = NULL;
    uint64_t listed = 0, shared = 0;
    wrong = require(wrong, check_owners(RB_ROOT(&table->by_owner), &before, &listed),
                    "the owners' blocks are out of order");
    before = NULL;
    wrong = require(wrong, check_access(RB_ROOT(&table->by_access), &before, &shared),
                    "the shared blocks are out of order");
    return require(wrong, listed == counts->listed && shared == counts->shared,
                   "other blocks are listed than there are to see");
}

static const char *check_lists(const struct block_table *table, const struct counts *counts)
{
    const struct block *block, *before = NULL;
    const char *wrong = NULL;
    uint64_t ids = 0, names = 0, dues = 0, evicting = 0, unkept = 0;
    wrong = require(wrong, check_ids(RB_ROOT(&table->by_id), &before, &ids), "the blocks are out of order");
    before = NULL;
    wrong = require(wrong, check_names(RB_ROOT(&table->by_name), &before, &names), "the names are out of order");
    before = NULL;
    wrong = require(wrong, check_dues(RB_ROOT(&table->by_due), &before, &dues), "the blocks' times are out of order");
    TAILQ_FOREACH(block, &table->evicting, in_evicting) {
        wrong = require(wrong, block->is_evicting, "a block is listed as evicted, and is not");
        evicting++;
    }
    TAILQ_FOREACH(block, &table->unkept, in_unkept) {
        wrong = require(wrong, block->is_unkept, "a block is listed as unkept, and is not");
        unkept++;
    }
    TAILQ_FOREACH(block, &table->left, in_left) {
        wrong = require(wrong, block->state == BLOCK_FREEING, "a block is to be freed that has not ended for all");
    }
    wrong = require(wrong, ids == counts->blocks && names == counts->named && dues == counts->due,
                    "a tree of blocks has others than it should");
    return require(wrong, evicting == counts->evicting && unkept == counts->unkept,
                   "a list of blocks has others than it should");
}

static const char *check_figures(const struct block_figures *figures, const struct counts *counts)
{
    const char *wrong = NULL;
    wrong = require(wrong, figures->blocks == counts->blocks && figures->views == counts->views,
                    "the figures have other numbers of blocks or views");
    for (enum lifetime lifetime = LIFETIME_SESSION; lifetime < LIFETIMES; lifetime++) {
        wrong = require(wrong, figures->bytes[lifetime] == counts->bytes[lifetime],
                        "the figures have other bytes of blocks than there are");
    }
    return wrong;
}

static const char *check_waits(const struct broker *broker)
{
    const struct session *session = check_walk_next(broker, NULL);
    const struct name_wait *wait;
    const char *wrong = NULL;
    uint64_t count = 0, of_sessions = 0;
    TAILQ_FOREACH(wait, &broker->name_waits, in_all) {
        wrong = require(wrong, wait->session->state != SESSION_OVER,
                        "a request of a session that is over waits for a block");
        count++;
    }
    for (; session; session = check_walk_next(broker, session)) {
        of_sessions += session->name_wait_count;
    }
    wrong = require(wrong, count == broker->name_wait_count, "name_wait_count is not the number of those that wait");
    return require(wrong, count == of_sessions, "a session miscounts its requests (name_wait_count)");
}

const char *check_blocks(const struct broker *broker)
{
    const struct block *block = block_table_next(&broker->blocks, 0);
    const char *wrong = NULL;
    struct counts counts = {0};
    for (; block && !wrong; block = block_table_next(&broker->blocks, block->id)) {
        counts.blocks++;
        counts.listed += block->is_listed;
        counts.shared += block->is_listed && block->access != BLOCK_ACCESS_USER;
        counts.named += block->state == BLOCK_PUBLISHED;
        counts.due += block->due > 0;
        counts.idle += is_idle(block) ? accounts_above(block) : 0;
        counts.evicting += block->is_evicting;
        counts.unkept += block->is_unkept;
        counts.views += block->view_count;
        counts.bytes[block->lifetime] += block->segment->charge.bytes;
        wrong = check_state(broker, block);
        wrong = wrong ? wrong : check_publisher(broker, block);
        wrong = wrong ? wrong : check_views(broker, block);
        wrong = wrong ? wrong : check_class(broker, block);
        wrong = require(wrong, block->segment->block == block, "a block's segment is another one's");
    }
    const char *wrong_list = check_lists(&broker->blocks, &counts);
    const char *wrong_view = check_who_sees(&broker->blocks, &counts);
    wrong = wrong ? wrong : wrong_list;
    wrong = wrong ? wrong : wrong_view;
    wrong = wrong ? wrong : check_idle_lists(broker, &counts);
    wrong = wrong ? wrong : check_figures(&broker->blocks.figures, &counts);
    return wrong ? wrong : check_waits(broker);
}
