/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may connect, who administers, and who sees whom: rules as the configuration says them. A value, read only. Names
 * that clients give themselves count for nothing here; users and groups are the kernel's word.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/identity.h"

/* What stands for the name of a user's session that the viewer may not see. */
#define HIDDEN_NAME "another user's"

enum { ACCESS_IDS_MAX = 64 };

struct access_list {
    uint32_t count, ids[ACCESS_IDS_MAX];
};

struct access {
    struct access_list allow_users, allow_groups; /* both empty: everybody whom the socket lets in */
    struct access_list deny_users, deny_groups;   /* win over allow */
    struct access_list admin_users, admin_groups; /* besides root and the broker's own user */
    struct access_list reserve_users;             /* may make reservations, as administrators may */
    bool see_all;                                 /* others' sessions and leases are shown to everybody */
};

/* Root and the broker's own user may see, revoke and connect whatever the lists say. */
bool access_is_administrator(const struct access *access, uint32_t daemon_uid, const struct identity *identity);

/* Whether he may make, change and give up reservations. */
bool access_may_reserve(const struct access *access, uint32_t daemon_uid, const struct identity *identity);

/* A user with more groups than we read can't be checked against deny_groups, and is rejected. */
bool access_may_connect(const struct access *access, uint32_t daemon_uid, const struct identity *identity);

/* Whether what belongs to anybody is shown to this viewer by name; if not, only what is his own user's is. */
bool access_may_see_all(const struct access *access, uint32_t daemon_uid, const struct identity *viewer);

/* Whether what belongs to this user is shown to that one by name. */
bool access_may_see(const struct access *access, uint32_t daemon_uid, const struct identity *viewer, uint32_t owner);
