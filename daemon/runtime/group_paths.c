/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/group_paths.h"

#include <stdlib.h>
#include <string.h>

char *group_paths_copy(const struct reservation_groups *groups)
{
    size_t bytes = 1, used = 0;
    for (size_t i = 0; i < groups->control_group_count; i++) {
        bytes += strlen(groups->control_groups[i]) + 1;
    }
    char *paths = calloc(bytes, 1);
    for (size_t i = 0; paths && i < groups->control_group_count; i++) {
        size_t size = strlen(groups->control_groups[i]) + 1;
        memcpy(paths + used, groups->control_groups[i], size);
        used += size;
    }
    return paths;
}

/* Whether a group, which ends with a newline at `length`, is this path or lies below it. */
static bool is_within(const char *group, size_t length, const char *path)
{
    size_t size = strlen(path);
    return size <= length && (group[size] == '\n' || group[size] == '/') && memcmp(group, path, size) == 0;
}

static bool is_any_within(const char *groups, const char *path)
{
    size_t length;
    for (const char *at = groups; *at; at += length + 1) {
        length = strcspn(at, "\n");
        if (is_within(at, length, path)) {
            return true;
        }
    }
    return false;
}

bool group_paths_have(const char *paths, const char *groups)
{
    bool found = false;
    for (const char *path = paths; *path && !found; path += strlen(path) + 1) {
        found = is_any_within(groups, path);
    }
    return found;
}
