/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients in control groups of their own. A test that makes groups needs root and a mounted hierarchy; otherwise it is
 * skipped.
 */
#pragma once

#include "tests/integration/fixture.h"

enum { PATH_BYTES = 512 };

/* A group below the root: its directory, its name, and its path as the daemon sees it. */
extern char members_top[PATH_BYTES], members_name[64], members_path[PATH_BYTES];

/* The directory of the group "below" in it. */
extern char members_below[PATH_BYTES + 8];

/* Makes both in cgroup v2 ("cgroup2"), in a hierarchy of v1 ("cgroup") or in that of its freezer ("freezer"), or skips
 * the test. */
void members_need_groups(const char *type);

/* Freezes the processes in both, or thaws them; skips the test if the kernel can't. */
void members_freeze(bool is_frozen);
void members_remove_groups(void);

/* Moves this process to the group with this directory. */
bool members_move_to(const char *group);

/* Runs membrokerctl in a control group (NULL: in ours), with arguments that end with NULL. Returns its exit status. */
int members_ctl(const struct fixture *fixture, const char *group, ...);

struct member {
    pid_t pid;
    int orders, done; /* our ends of two pipes; a byte: it is connected, or has moved */
};

/* Connects, with a lease, from within this group. */
struct member member_in(const struct fixture *fixture, const char *group);

/* Moves it to members_top. */
void member_move_up(const struct member *member);
void member_end(const struct member *member);

/* Expects that there is one session, of this class for this reason. */
void members_expect_class(const struct fixture *fixture, const char *class, enum class_rule rule, const char *pattern);
