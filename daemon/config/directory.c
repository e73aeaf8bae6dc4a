/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/os/make_directories.h"

/*
 * A directory to write to, on a file system that has room for files: the kernel's own (/proc, /sys) have no blocks, and
 * seem to let root write.
 */
static int check_directory(const char *path, struct statvfs *ret)
{
    struct stat status;
    struct statfs system;
    if (stat(path, &status) < 0 || statvfs(path, ret) < 0 || statfs(path, &system) < 0) {
        return -errno;
    }
    if (!S_ISDIR(status.st_mode)) {
        return -ENOTDIR;
    }
    if (system.f_blocks == 0 && system.f_type != TMPFS_MAGIC && system.f_type != RAMFS_MAGIC) {
        return -EOPNOTSUPP;
    }
    return faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int directory_make(char *path, struct statvfs *ret)
{
    int result = make_directories(path);
    return result < 0 ? result : check_directory(path, ret);
}

int directory_look(const char *path, struct statvfs *ret)
{
    char above[PATH_MAX];
    if (strlen(path) >= sizeof above) {
        return -ENAMETOOLONG;
    }
    memcpy(above, path, strlen(path) + 1);
    while (access(above, F_OK) < 0 && errno == ENOENT) {
        char *slash = strrchr(above, '/');
        slash[slash == above] = '\0';
    }
    return check_directory(above, ret);
}
