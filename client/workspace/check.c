/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the leases of an open cycle's memory. */
#include "client/error.h"
#include "client/workspace/own.h"

static int check_spills(const struct spill *spill)
{
    const struct spill_area *area;
    int result = 0;
    TAILQ_FOREACH(area, &spill->areas, in_list) {
        const struct spill_chunk *chunk;
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
    int result = own_check(workspace);
    if (result == 0 && workspace->lease) {
        result = mb_lease_check(workspace->lease);
    }
    if (result == 0) {
        result = check_spills(&workspace->spill);
    }
    return result < 0 ? result : error_end(check_bypassed(workspace));
}
