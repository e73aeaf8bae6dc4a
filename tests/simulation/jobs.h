/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations in the world: a scheduler makes, extends, suspends and gives them up, knows what each request must be
 * answered, and what their members may expect. It is a client with numbers of its own to draw from.
 */
#pragma once

#include "tests/simulation/shell.h"

enum {
    JOBS = 4,
    GROUPS = 6,                  /* control groups that clients are in */
    SCHEDULER = CLIENTS_MAX - 1, /* its number among the clients */
};

enum job_state { JOB_NONE, JOB_MADE, JOB_GIVEN_UP };

struct job {
    enum job_state state;
    unsigned groups, first_groups; /* a bit for each; those that it was made with */
    uint64_t bytes;
    uint32_t uid;                      /* of its members; 0: any */
    uint64_t expires_at;               /* ns; 0: never */
    uint64_t changed_at, suspended_at; /* 0: it is not suspended */
};

struct jobs {
    const struct shell_kind *kind;
    struct shell *shell;
    struct job jobs[JOBS];
    uint64_t state;                /* of its random numbers */
    uint64_t next_at, reserved_at; /* ns; of the last one that was made */
    uint64_t last_request;
    bool is_answered;
    enum error_code answer; /* ERROR_UNSPECIFIED: done */
    unsigned done, refused, forgotten;
};

const char *jobs_group(unsigned group);

void jobs_begin(struct jobs *jobs, const struct shell_kind *kind, struct shell *shell, uint64_t seed, uint64_t now);

/* Asks for something; `inhabited` has a bit for each group that clients are in. */
void jobs_act(struct jobs *jobs, unsigned inhabited, uint64_t now);
void jobs_take_answer(struct jobs *jobs, const struct reply *reply);

/* The one that a client is a member of; NULL: of none. */
const struct job *jobs_of(const struct jobs *jobs, unsigned group, uint32_t uid);

/* Whether a member of it may be granted a lease now. */
bool job_may_grant(const struct job *job, uint64_t now);

/* Whether leases of a member that is frozen since then (0: it is not) can't expire now. */
bool job_holds(const struct job *job, uint64_t frozen_at, uint64_t now);

/* Gives all of them up; nobody is left in any group. */
void jobs_end(struct jobs *jobs, uint64_t now);
