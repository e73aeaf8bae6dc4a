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
    ending_lease(step, view, block->ended);
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
static bool end_holder(struct step *step, const struct block *block)
{
    struct lease *holder = block->view_count ? TAILQ_FIRST(&block->views) : block->publisher;
    if (holder) {
        ending_lease(step, holder, END_SHUTDOWN);
    }
    return holder;
}

/* The next daemon knows no blocks: who has one is told while there is somebody to tell it. */
static void end_for_good(struct step *step)
{
    struct block_table *table = &step->broker->blocks;
    struct block *block = block_table_next(table, table->ending_after);
    while (block && has_room(step)) {
        if (end_holder(step, block)) {
            continue;
        }
        if (block->state == BLOCK_PUBLISHED) {
            block_condemn(step, block, END_SHUTDOWN, NULL);
        }
        table->ending_after = block->id;
        block = block_table_next(table, block->id);
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
    if (step->broker->blocks.is_ending) {
        end_for_good(step);
    }
    serve_waiting(step, is_tick);
}

uint64_t block_next_wakeup(const struct broker *broker)
{
    const struct block *block = block_table_first_due(&broker->blocks);
    bool is_ending = broker->blocks.is_ending && block_table_next(&broker->blocks, broker->blocks.ending_after);
    bool goes_on = is_ending || !TAILQ_EMPTY(&broker->blocks.evicting) || broker->names_changed ||
                   (broker->shutting_down && !RB_EMPTY(&broker->blocks.by_name));
    return goes_on ? 0 : size_min(block ? block->due : UINT64_MAX, name_wait_first_end(broker));
}
