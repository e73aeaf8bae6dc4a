/* SPDX-License-Identifier: Apache-2.0 */
/* Dying at a point. */
#include "daemon/os/fault.h"

#ifdef MEMBROKER_FAULTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

void fault_point(void)
{
    static atomic_ulong passed;
    const char *wanted = getenv("MEMBROKER_FAULT");
    if (wanted && atomic_fetch_add(&passed, 1) + 1 == strtoul(wanted, NULL, 10)) {
        (void)raise(SIGKILL);
    }
}

void fault_unless(bool rule_is_kept)
{
    if (!rule_is_kept) {
        abort();
    }
}

#else

/* ISO C wants a declaration in every file */
typedef int fault_points_are_not_compiled_in;

#endif
