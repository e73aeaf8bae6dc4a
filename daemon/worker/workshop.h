/* SPDX-License-Identifier: Apache-2.0 */
/* The directories in which segments are made. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "daemon/os/named_directory.h"
#include "daemon/os/spill.h"

struct workshop {
    struct spill spill;
    struct named_directory files; /* in which programs may name files */
    const char *files_path;       /* as configured; NULL: there is none */
};

/* Whether the path lies in the directory; NULL: in none. */
static inline bool workshop_lies_in(const char *path, const char *directory)
{
    size_t length = directory ? strlen(directory) : 0;
    return length && strncmp(path, directory, length) == 0 && path[length] == '/';
}
