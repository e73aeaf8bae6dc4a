/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a program's own file, without trusting what lies in the directory. */
#include "daemon/os/named_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/os/spill.h"
#include "proto/base/cleanup.h"

bool named_file_is_valid_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/');
}

/*
 * What lies in the directory itself: no link is followed, and no mount entered. A user can have FUSE mount a file
 * system over a file, and a process that asks that file system waits for as long as the user likes.
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
