/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points at which a test may have the daemon killed, as kill -9 would. Compiled in with MEMBROKER_FAULTS only: the
 * daemon then dies at the point with the number that the environment's MEMBROKER_FAULT says, counted from 1. Such a
 * build also aborts if a rule is broken that costs only time in others, leaks the descriptors of the first
 * MEMBROKER_FAULT_LEAK segments that are freed, and has an audit pause for MEMBROKER_FAULT_AUDIT_MS behind each list of
 * descriptors.
 */
#pragma once

#include <stdbool.h>

#ifdef MEMBROKER_FAULTS
void fault_point(void);
void fault_unless(bool rule_is_kept);
void fault_leak(int fd);
void fault_pause_audit(void);

/*
 * The same for a worker process: it dies if the environment's MEMBROKER_WORKER_FAULTS names a directory with a file
 * that is called as this point. The file goes with it: the next worker that passes here lives, or needs one more
 * (POINT-again).
 */
void fault_in_worker(const char *point);

/* Likewise, with a file that is called POINT-hold: the worker calls it POINT-held, and waits until that is removed. */
void fault_hold_worker(const char *point);
#else
static inline void fault_in_worker(const char *point)
{
    (void)point;
}

static inline void fault_hold_worker(const char *point)
{
    (void)point;
}

static inline void fault_point(void)
{
}

static inline void fault_unless(bool rule_is_kept)
{
    (void)rule_is_kept;
}

static inline void fault_leak(int fd)
{
    (void)fd;
}

static inline void fault_pause_audit(void)
{
}
#endif
