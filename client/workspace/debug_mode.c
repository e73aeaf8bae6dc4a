/* SPDX-License-Identifier: Apache-2.0 */
/* The debug mode of the process: from the environment until the program sets it. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "membroker.h"

static _Atomic int debug_mode = -1; /* the environment was not read yet */

mb_debug_mode mb_get_debug_mode(void)
{
    int mode = atomic_load_explicit(&debug_mode, memory_order_relaxed);
    if (mode < 0) {
        const char *value = secure_getenv("MEMBROKER_DEBUG");
        mode = !value                             ? MB_DEBUG_DISABLED
               : strncmp(value, "spill", 5) == 0  ? MB_DEBUG_SPILL_EVERYTHING
               : strncmp(value, "bypass", 6) == 0 ? MB_DEBUG_BYPASS_EVERYTHING
                                                  : MB_DEBUG_DISABLED;
        atomic_store_explicit(&debug_mode, mode, memory_order_relaxed);
    }
    return (mb_debug_mode)mode;
}

void mb_set_debug_mode(mb_debug_mode mode)
{
    atomic_store_explicit(&debug_mode, (int)mode, memory_order_relaxed);
}
