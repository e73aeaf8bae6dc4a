/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scratch loop in a workspace of libmembroker: one cycle an iteration. The arena is written through
 * once before, as the bare bump pointer's memory is, so that both find pages that exist. Where SCRATCH_CALLED is
 * defined the library's function is called, else its code is in the loop, as in any program.
 */
#ifdef SCRATCH_CALLED
#define MB_NO_INLINE
#endif
#include <membroker.h>
#include <string.h>

#include "tests/bench/scratch_loop.h"

static mb_workspace *scratch;

static void cycle_begin(void)
{
    if (mb_workspace_enter(scratch) < 0)
        measure_fail("mb_workspace_enter", mb_last_error());
}

SCRATCH_INLINE void *cycle_allocate(size_t bytes)
{
    void *memory = mb_workspace_alloc(scratch, bytes);
    if (!memory)
        measure_fail("mb_workspace_alloc", mb_last_error());
    return memory;
}

static void cycle_end(void *const *held)
{
    (void)held;
    if (mb_workspace_leave(scratch) < 0)
        measure_fail("mb_workspace_leave", mb_last_error());
}

/* The first cycle teaches the size, the second touches all of it. */
static void scratch_learn(size_t bytes)
{
    for (int i = 0; i < 2; i++) {
        cycle_begin();
        memset(cycle_allocate(bytes), 0, bytes);
        cycle_end(NULL);
    }
}

int main(void)
{
    mb_client *client;
    struct scratch_sizes sizes;
    scratch_sizes_init(&sizes);
    if (mb_connect(NULL, &client) < 0)
        measure_fail("mb_connect", mb_last_error());
    if (mb_workspace_open(client, "scratch", NULL, &scratch) < 0)
        measure_fail("mb_workspace_open", mb_last_error());
    scratch_learn(sizes.total);
    scratch_measure(&sizes, cycle_begin, cycle_allocate, cycle_end);
    mb_workspace_close(scratch);
    mb_disconnect(client);
    return 0;
}
