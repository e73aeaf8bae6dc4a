/* SPDX-License-Identifier: Apache-2.0 */
/* Reports what a workspace has done so far. */
#include <inttypes.h>

#include "client/workspace/workspace.h"
#include "proto/base/location.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* What was bumped since the last arena_sync(). */
static uint64_t bumped(const mb_workspace *workspace)
{
    bool live = workspace->is_open && /* otherwise another thread may be taking the base away */
                workspace->base && workspace->arena.next >= workspace->base &&
                workspace->arena.next <= workspace->base + workspace->cycle.size;
    return live ? (uint64_t)(workspace->arena.next - workspace->base) - workspace->cycle.offset : 0;
}

uint64_t mb_workspace_size(const mb_workspace *workspace)
{
    return workspace->cycle.size;
}

uint64_t mb_workspace_offset(const mb_workspace *workspace)
{
    return workspace->cycle.offset + bumped(workspace);
}

void mb_workspace_stats(const mb_workspace *workspace, mb_workspace_statistics *ret)
{
    const struct cycle *cycle = &workspace->cycle;
    *ret = (mb_workspace_statistics){
        .current_size = cycle->size,
        .offset = mb_workspace_offset(workspace),
        .initial_block_size = cycle->block,
        .this_cycle_bytes = cycle->bytes + bumped(workspace),
        .last_cycle_bytes = cycle->last_bytes,
        .max_cycle_bytes = cycle->max_bytes,
        .total_spilled_bytes = workspace->total_spilled_bytes,
        .total_spilled_count = workspace->total_spilled_count,
        .total_pinned_bytes = workspace->total_pinned_bytes,
        .total_pinned_count = workspace->total_pinned_count,
        .cycles = cycle->cycles,
        .steps = cycle->steps,
        .generation = cycle->generation,
        .sizings = workspace->sizings,
        .sizings_refused = workspace->sizings_refused,
        .location = workspace->location,
        .mirroring = workspace->config.mirroring,
    };
    spill_sum(&workspace->spill, false, &ret->spilled_bytes, &ret->spilled_count);
    spill_sum(&workspace->spill, true, &ret->pinned_bytes, &ret->pinned_count);
}

static void print_one(const mb_workspace *workspace, FILE *out)
{
    mb_workspace_statistics stats;
    char size[SIZE_TEXT_BYTES], largest[SIZE_TEXT_BYTES], spilled[SIZE_TEXT_BYTES], pinned[SIZE_TEXT_BYTES];
    mb_workspace_stats(workspace, &stats);
    (void)fprintf(out, "%-24s %-4s %10s %12s %10s %10s %10" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n",
                  workspace->name, location_title((enum location)stats.location),
                  size_to_text(stats.current_size, size), size_to_text(stats.max_cycle_bytes, largest),
                  size_to_text(stats.total_spilled_bytes, spilled), size_to_text(stats.total_pinned_bytes, pinned),
                  stats.cycles, stats.current_size, stats.total_spilled_bytes, stats.total_pinned_bytes);
}

void mb_workspace_print_stats(FILE *out)
{
    mb_workspace *workspace;
    size_t count = mb_workspace_list(NULL, 0);
    (void)fprintf(out, "%zu workspace%s of this thread\n%-24s %-4s %10s %12s %10s %10s %10s %14s %14s %14s\n", count,
                  text_plural(count), "name", "in", "size", "largest cycle", "spilled", "pinned", "cycles",
                  "size, bytes", "spilled, bytes", "pinned, bytes");
    if (thread_self) {
        TAILQ_FOREACH(workspace, &thread_self->workspaces, in_thread) {
            print_one(workspace, out);
        }
    }
}
