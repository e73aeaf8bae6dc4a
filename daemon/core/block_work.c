/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/block_work.h"

#include "daemon/core/attach.h"
#include "daemon/core/ending.h"
#include "proto/base/size.h"

enum { EFFECTS_EACH = 5 /* a block's end and its segment's, a lease's slot, event and line in the log */ };

static bool has_room(const struct step *step)
{
    return effect_room(step->effects) > EFFECTS_EACH;
}

/* The generation moves before the bytes go: who reads them meanwhile is told. */
static void end_evicted(struct step *step)
{
    const struct block *block;
    while ((block = TAILQ_FIRST(&step->broker->blocks.evicting)) && has_room(step)) {
        ending_lease(step, block->publisher, END_EVICTED);
    }
}

/* One of another user's views of a block whose grace time is over. */
static void end_foreign_view(struct step *step, const struct block *block)
{
    struct lease *view = TAILQ_FIRST(&block->views);
    while (view->session->identity.uid == block->owner) {
        view = TAILQ_NEXT(view, in_views);
    }
    ending_view(step, view);
}

static void end_due(struct step *step)
{
    struct block_table *table = &step->broker->blocks;
    struct block *block;
    while ((block = block_table_first_due(table)) && block->due <= step->now && has_room(step)) {
        if (block->state == BLOCK_PUBLISHED) {
            block_condemn(step, block, END_EXPIRED, NULL);
        } else if (block->foreign_count) {
            end_foreign_view(step, block);
        } else {
            block_table_set_due(table, block, 0);
        }
    }
}

/* Sessions end with their leases; what is kept for nobody goes too. */
static void end_all(struct step *step)
{
    struct block_table *table = &step->broker->blocks;
    struct block *block = block_table_first_named(table);
    for (; block && has_room(step); block = block_table_first_named(table)) {
        block_condemn(step, block, END_SHUTDOWN, NULL);
    }
}

/* The publisher goes last: with it, some blocks lose their names. */
static void end_unkept(struct step *step)
{
    struct block *block;
    while ((block = TAILQ_FIRST(&step->broker->blocks.unkept)) && has_room(step)) {
        struct lease *holder = block->view_count ? TAILQ_FIRST(&block->views) : block->publisher;
        if (holder) {
            ending_lease(step, holder, END_SHUTDOWN);
        } else {
            block_condemn(step, block, END_SHUTDOWN, NULL);
        }
    }
}

static bool may_free_left(const struct broker *broker, uint64_t now)
{
    return !TAILQ_EMPTY(&broker->blocks.left) && (broker->shutting_down || broker->blocks.left_until <= now);
}

static void free_left(struct step *step)
{
    struct block_table *table = &step->broker->blocks;
    while (may_free_left(step->broker, step->now) && has_room(step)) {
        struct block *block = TAILQ_FIRST(&table->left);
        TAILQ_REMOVE(&table->left, block, in_left);
        segment_begin_freeing(step, block->segment);
    }
}

static void serve_waiting(struct step *step, bool is_tick)
{
    struct broker *broker = step->broker;
    struct name_wait *wait = TAILQ_FIRST(&broker->name_waits), *next;
    if (!broker->names_changed && !is_tick) {
        return;
    }
    broker->names_changed = false;
    for (; wait; wait = next) {
        next = TAILQ_NEXT(wait, in_all);
        if (!has_room(step)) {
            broker->names_changed = true; /* the next step goes on */
            return;
        }
        (void)attach_waiting(step, wait);
    }
}

void block_work(struct step *step, bool is_tick)
{
    end_evicted(step);
    end_due(step);
    if (step->broker->shutting_down) {
        end_all(step);
    }
    end_unkept(step);
    free_left(step);
    serve_waiting(step, is_tick);
}

uint64_t block_next_wakeup(const struct broker *broker)
{
    const struct block_table *table = &broker->blocks;
    const struct block *block = block_table_first_due(table);
    uint64_t due = size_min(block ? block->due : UINT64_MAX, name_wait_first_end(broker));
    bool goes_on = !TAILQ_EMPTY(&table->evicting) || !TAILQ_EMPTY(&table->unkept) || broker->names_changed ||
                   (broker->shutting_down && (!RB_EMPTY(&table->by_name) || !TAILQ_EMPTY(&table->left)));
    return goes_on ? 0 : TAILQ_EMPTY(&table->left) ? due : size_min(due, table->left_until);
}
