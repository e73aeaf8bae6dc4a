/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in for the kernel and the worker processes under the real runtime: by the linker's --wrap. Who connects,
 * when a process dies, what memory the host has, and what becomes of jobs, are the test's to say.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { STAND_INS_MAX = 1100 };

/* A process; its pid is below STAND_INS_MAX. */
struct stand_in {
    int32_t pid;
    uint32_t uid;
    int death;             /* becomes readable when it has ended: the caller's, and open until then */
    const char *group;     /* the path of its control group: a literal, or as long-lived */
    const bool *is_frozen; /* the caller's, as long-lived */
};

/* Who the next connection is of. */
void stand_in_for(const struct stand_in *process);

/* Called before each step of the core; NULL: nothing is. */
extern void (*stand_in_before_step)(void);

/* What a step of the core costs at most, in virtual ns; 0: no time passes but in the loop's sleep. */
extern uint64_t stand_in_step_cost;
