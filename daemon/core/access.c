/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/access.h"

static bool list_has(const struct access_list *list, uint32_t id)
{
    bool found = false;
    for (uint32_t i = 0; i < list->count && !found; i++) {
        found = list->ids[i] == id;
    }
    return found;
}

static bool has_a_group_of(const struct access_list *list, const struct identity *identity)
{
    bool found = false;
    for (uint32_t i = 0; i < list->count && !found; i++) {
        found = identity_has_group(identity, list->ids[i]);
    }
    return found;
}

bool access_is_administrator(const struct access *access, uint32_t daemon_uid, const struct identity *identity)
{
    return identity->uid == 0 || identity->uid == daemon_uid || list_has(&access->admin_users, identity->uid) ||
           has_a_group_of(&access->admin_groups, identity);
}

bool access_may_reserve(const struct access *access, uint32_t daemon_uid, const struct identity *identity)
{
    return access_is_administrator(access, daemon_uid, identity) || list_has(&access->reserve_users, identity->uid);
}

static bool is_denied(const struct access *access, const struct identity *identity)
{
    return list_has(&access->deny_users, identity->uid) || list_has(&access->deny_users, identity_charged(identity)) ||
           has_a_group_of(&access->deny_groups, identity) ||
           (access->deny_groups.count > 0 && identity->has_more_groups);
}

bool access_may_connect(const struct access *access, uint32_t daemon_uid, const struct identity *identity)
{
    bool is_open = access->allow_users.count == 0 && access->allow_groups.count == 0;
    if (identity->uid == 0 || identity->uid == daemon_uid) {
        return true;
    }
    return !is_denied(access, identity) && (is_open || list_has(&access->allow_users, identity->uid) ||
                                            has_a_group_of(&access->allow_groups, identity));
}

bool access_may_see_all(const struct access *access, uint32_t daemon_uid, const struct identity *viewer)
{
    return access->see_all || access_is_administrator(access, daemon_uid, viewer);
}

bool access_may_see(const struct access *access, uint32_t daemon_uid, const struct identity *viewer, uint32_t owner)
{
    return viewer->uid == owner || access_may_see_all(access, daemon_uid, viewer);
}
