/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the memory of an open cycle is still there. */
#include "client/workspace/workspace.h"

static int check_outside(const struct outside *outside)
{
    const struct outside_area *area;
    int result = 0;
    TAILQ_FOREACH(area, &outside->areas, in_list) {
        const struct outside_chunk *chunk;
        SLIST_FOREACH(chunk, &area->chunks, next)
        {
            result = result < 0 ? result : mb_lease_check(chunk->lease);
        }
    }
    return result;
}

static int check_bypassed(const mb_workspace *workspace)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < workspace->bypassed_count; i++) {
        result = mb_buffer_check(workspace->bypassed[i]);
    }
    return result;
}

int mb_workspace_check(const mb_workspace *workspace)
{
    int result = workspace_check_thread(workspace);
    if (result == 0 && workspace->lease) {
        result = mb_lease_check(workspace->lease);
    }
    if (result == 0) {
        result = check_outside(&workspace->outside);
    }
    return result < 0 ? result : error_end(check_bypassed(workspace));
}
