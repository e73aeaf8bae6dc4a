/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/ids.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

bool number_from_text(const char *text, uint32_t most, uint32_t *ret)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || number > most) {
        return false;
    }
    *ret = (uint32_t)number;
    return true;
}

bool user_from_text(const char *text, uint32_t *ret)
{
    const struct passwd *user = getpwnam(text);
    if (user) {
        *ret = user->pw_uid;
    }
    return user || number_from_text(text, UINT32_MAX - 1, ret);
}

bool group_from_text(const char *text, uint32_t *ret)
{
    const struct group *group = getgrnam(text);
    if (group) {
        *ret = group->gr_gid;
    }
    return group || number_from_text(text, UINT32_MAX - 1, ret);
}

const char *user_name(uint32_t uid, char *text, size_t size)
{
    char strings[1024];
    struct passwd entry, *user = NULL;
    if (getpwuid_r(uid, &entry, strings, sizeof strings, &user) == 0 && user) {
        (void)snprintf(text, size, "%s (%u)", user->pw_name, uid);
    } else {
        (void)snprintf(text, size, "%u", uid);
    }
    return text;
}

typedef bool (*id_reader)(const char *text, uint32_t *ret);

static const char *ids_from_text(const char *text, id_reader id_from_text, const char *kind, struct access_list *ret,
                                 char *wrong)
{
    static const char between[] = " \t,";
    ret->count = 0;
    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        char word[NAME_MAX_BYTES];
        size_t length = strcspn(text, between);
        if (length >= sizeof word || ret->count == ACCESS_IDS_MAX) {
            return length >= sizeof word ? "a name is too long" : "there may be at most 64";
        }
        memcpy(word, text, length);
        word[length] = '\0';
        if (!id_from_text(word, &ret->ids[ret->count])) {
            (void)snprintf(wrong, IDS_WRONG_BYTES, "there is no %s \"%s\"; create it, or give its number", kind, word);
            return wrong;
        }
        ret->count++;
        text += length;
    }
    return NULL;
}

const char *users_from_text(const char *text, struct access_list *ret, char *wrong)
{
    return ids_from_text(text, user_from_text, "user", ret, wrong);
}

const char *groups_from_text(const char *text, struct access_list *ret, char *wrong)
{
    return ids_from_text(text, group_from_text, "group", ret, wrong);
}
