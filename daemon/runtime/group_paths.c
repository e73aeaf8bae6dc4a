/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/group_paths.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/control_group.h"

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

bool group_paths_have(const char *paths, const char *groups)
{
    bool found = false;
    for (const char *path = paths; *path && !found; path += strlen(path) + 1) {
        found = control_path_match(path, groups) > 0;
    }
    return found;
}
