/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in for the kernel and the worker processes under the real runtime: by the linker's --wrap. Who connects,
 * when a process dies, what memory the host has, and what becomes of jobs, are the test's to say.
 */
#pragma once

#include <stdint.h>

enum { STAND_INS_MAX = 1100 };

/* Who the next connection is of (pids below STAND_INS_MAX), and the descriptor that becomes readable when that process
 * has ended: the caller's, and open until then. */
void stand_in_for(int32_t pid, uint32_t uid, int death);

/* Called before each step of the core; NULL: nothing is. */
extern void (*stand_in_before_step)(void);

/* What a step of the core costs at most, in virtual ns; 0: no time passes but in the loop's sleep. */
extern uint64_t stand_in_step_cost;
