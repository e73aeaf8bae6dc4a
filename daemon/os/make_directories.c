/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/os/make_directories.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int result = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
        *slash = '/';
        if (result < 0) {
            return result;
        }
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}
