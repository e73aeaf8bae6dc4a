/* SPDX-License-Identifier: Apache-2.0 */
/* A directory service may take its time for each answer, so every answer is kept: also that there is no name. */
#include "client/ctl/users.h"

#include <grp.h>
#include <pwd.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"

struct known_user {
    uint32_t uid;
    char name[65];
};

static bool are_numbers;
static void *known; /* a tree, see tsearch(3) */

void users_stay_numbers(void)
{
    are_numbers = true;
}

bool users_have_names(void)
{
    return !are_numbers;
}

static int compare(const void *a, const void *b)
{
    uint32_t one = ((const struct known_user *)a)->uid, other = ((const struct known_user *)b)->uid;
    return (one > other) - (one < other);
}

static void look_up(struct known_user *user)
{
    const struct passwd *entry = getpwuid(user->uid);
    (void)snprintf(user->name, sizeof user->name, "%s", entry ? entry->pw_name : "");
}

const char *user_name(uint32_t uid)
{
    const struct known_user key = {.uid = uid};
    struct known_user *const *found = are_numbers ? NULL : tfind(&key, &known, compare);
    if (found) {
        return (*found)->name;
    }
    struct known_user *user = are_numbers ? NULL : calloc(1, sizeof *user);
    if (!user) {
        return "";
    }
    user->uid = uid;
    look_up(user);
    if (!tsearch(user, &known, compare)) {
        free(user);
        return "";
    }
    return user->name;
}

const char *user_to_text(uint32_t uid, char *text)
{
    const char *name = user_name(uid);
    (void)snprintf(text, USER_TEXT_BYTES, "%s%s%suid %u", *name ? "user " : "", name, *name ? ", " : "", uid);
    return text;
}

static int number_of(const char *option, const char *text, const char *what, uint32_t *ret)
{
    if (*text < '0' || *text > '9') {
        return ctl_usage("%s `%s`: there is no such %s; name one, or give a number", option, text, what);
    }
    return ctl_take_number(option, text, 0, UINT32_MAX - 1, ret);
}

int user_from_text(const char *option, const char *text, uint32_t *ret)
{
    const struct passwd *user = getpwnam(text);
    if (user) {
        *ret = user->pw_uid;
        return CTL_DONE;
    }
    return number_of(option, text, "user", ret);
}

int group_from_text(const char *option, const char *text, uint32_t *ret)
{
    const struct group *group = getgrnam(text);
    if (group) {
        *ret = group->gr_gid;
        return CTL_DONE;
    }
    return number_of(option, text, "group", ret);
}

int access_from_text(const char *option, const char *text, mb_access *ret, uint32_t *ret_gid)
{
    static const char group[] = "group:";
    if (strncmp(text, group, sizeof group - 1) == 0) {
        *ret = MB_ACCESS_GROUP;
        return group_from_text(option, text + sizeof group - 1, ret_gid);
    }
    *ret = strcmp(text, "all") == 0 ? MB_ACCESS_ALL : MB_ACCESS_USER;
    return *ret == MB_ACCESS_ALL || strcmp(text, "user") == 0
               ? CTL_DONE
               : ctl_usage("%s `%s`: user, group:GROUP or all is expected", option, text);
}
