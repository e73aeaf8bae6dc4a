/* SPDX-License-Identifier: Apache-2.0 */
/* Running the cycle collector. */
#include "client/python/src/reclaiming.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "client/python/src/compat.h"

static _Atomic bool is_stopped;

void reclaiming_collect(const mb_reclaim *reclaim, void *user_data)
{
    (void)reclaim;
    (void)user_data;
    if (!atomic_load(&is_stopped)) {
        PyGILState_STATE state = PyGILState_Ensure();
        (void)PyGC_Collect();
        PyGILState_Release(state);
    }
}

void reclaiming_stop(void)
{
    atomic_store(&is_stopped, true);
}
