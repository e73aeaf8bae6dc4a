/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a program's own file, without trusting what lies in the directory. */
#include "daemon/os/named_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/os/spill.h"
#include "proto/base/cleanup.h"

/* ---- the directory ---- */

/* Of what the path leads to; a server of FUSE is not asked. */
static int look(int fd, dev_t *ret_device, uid_t *ret_owner)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status) < 0) {
        return -errno;
    }
    *ret_device = makedev(status.stx_dev_major, status.stx_dev_minor);
    *ret_owner = status.stx_uid;
    return 0;
}

int named_directory_open(struct named_directory *directory, const char *path)
{
    cleanup(fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -errno : look(fd, &directory->device, &directory->owner);
    directory->path = result < 0 ? NULL : realpath(path, NULL);
    if (!directory->path) {
        return result < 0 ? result : -errno;
    }
    directory->fd = fd_steal(&fd);
    return 0;
}

void named_directory_close(struct named_directory *directory)
{
    directory->fd = fd_close(directory->fd);
    free(directory->path);
    directory->path = NULL;
}

/* By the kernel's name for it: not every file system counts the links of directories. */
static bool is_deleted(int directory)
{
    static const char mark[] = " (deleted)";
    char link[32], target[PATH_MAX + sizeof mark];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, target, sizeof target);
    size_t mark_length = sizeof mark - 1;
    return length > (ssize_t)mark_length && memcmp(target + (size_t)length - mark_length, mark, mark_length) == 0;
}

/* Its owner may have deleted it to put a link, or a mount of FUSE, in its place: neither is taken. */
static int reopen(const struct named_directory *directory)
{
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    dev_t device = 0;
    uid_t owner = 0;
    cleanup(fd_closep) int fd = (int)syscall(SYS_openat2, AT_FDCWD, directory->path, &how, sizeof how);
    if (fd < 0 || look(fd, &device, &owner) < 0 || device != directory->device || owner != directory->owner) {
        return -ENOENT;
    }
    return fd_steal(&fd);
}

int named_directory_reach(const struct named_directory *directory)
{
    if (is_deleted(directory->fd)) {
        return reopen(directory);
    }
    int fd = fcntl(directory->fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* ---- files ---- */

bool named_file_is_valid_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/');
}

/*
 * What lies in the directory itself: no link is followed, and no mount entered. A user can have FUSE mount a file
 * system of his own over a file of his, and whoever asks that one waits for as long as he likes.
 */
static int open_here(const struct named_file *file, int flags)
{
    const struct open_how how = {.flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
                                 .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH};
    long fd = syscall(SYS_openat2, file->directory, file->name, &how, sizeof how);
    if (fd < 0 && errno == ENOSYS) { /* before Linux 5.6 */
        fd = openat(file->directory, file->name, flags | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd < 0 ? -errno : (int)fd;
}

uint64_t named_file_bytes(const struct named_file *file)
{
    struct stat status;
    cleanup(fd_closep) int fd = open_here(file, O_PATH);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        return 0;
    }
    return (uint64_t)status.st_size;
}

static int open_existing(const struct named_file *file)
{
    int fd = open_here(file, O_RDWR | O_NONBLOCK);
    return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO || fd == -EXDEV ? -EMLINK : fd;
}

/* A new file, its user's; it has its name only once it is. */
static int create(const struct named_file *file)
{
    int fd = openat(file->directory, file->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    if (file->uid != geteuid() && fchown(fd, file->uid, file->gid) < 0) {
        (void)unlinkat(file->directory, file->name, 0);
        (void)fd_close(fd);
        return -EACCES;
    }
    return fd;
}

static int check(int fd, const struct named_file *file, uint64_t bytes, uint64_t *ret_before)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1) {
        return -EMLINK;
    }
    if (status.st_uid != file->uid) {
        return -EACCES;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    }
    *ret_before = (uint64_t)status.st_size;
    return *ret_before > bytes ? -ESTALE : 0;
}

static int fill(int fd, const struct named_file *file, uint64_t bytes, uint64_t before, bool is_new)
{
    int result = spill_allocate(fd, bytes);
    if (result < 0 && is_new) {
        (void)unlinkat(file->directory, file->name, 0);
    } else if (result < 0) {
        (void)!ftruncate(fd, (off_t)before);
    }
    return result;
}

int named_file_open(const struct named_file *file, uint64_t bytes)
{
    uint64_t before = 0;
    bool is_new = false;
    cleanup(fd_closep) int fd = open_existing(file);
    if (fd == -ENOENT) {
        fd = create(file);
        is_new = fd >= 0;
    }
    int result = fd < 0 ? fd : check(fd, file, bytes, &before);
    if (result == 0) {
        result = fill(fd, file, bytes, before, is_new);
    }
    return result < 0 ? result : fd_steal(&fd);
}

void named_file_let_go(int fd, const struct inode_view *view, uint64_t bytes)
{
    if (view->goes_beyond && view->size == bytes) {
        (void)!ftruncate(fd, (off_t)bytes); /* its length is right; the blocks behind it go */
    }
    (void)flock(fd, LOCK_UN); /* a client that keeps the descriptor must not keep the lock */
}
