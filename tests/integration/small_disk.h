/* SPDX-License-Identifier: Apache-2.0 */
/* A file system of few bytes, for tests that fill it. Mounting it needs root. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

/* Makes `directory` of its template (as mkdtemp() does) and mounts a tmpfs there. False: it can't, and nothing is left.
 */
static inline bool small_disk_mount(char *directory, unsigned mebibytes)
{
    char options[32];
    (void)snprintf(options, sizeof options, "size=%um", mebibytes);
    if (!mkdtemp(directory)) {
        return false;
    }
    if (mount("none", directory, "tmpfs", 0, options) < 0) {
        (void)rmdir(directory);
        return false;
    }
    return true;
}

/* False: something is still open in it. */
static inline bool small_disk_unmount(const char *directory)
{
    return umount(directory) == 0 && rmdir(directory) == 0;
}
