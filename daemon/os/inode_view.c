/* SPDX-License-Identifier: Apache-2.0 */
/* fstat, and the extents beyond the end, which fallocate(FALLOC_FL_KEEP_SIZE) makes and no length shows. */
#include "daemon/os/inode_view.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { BLOCK_BYTES = 512 /* of st_blocks */, OVERHEAD_BYTES = 65536, OVERHEAD_SHARE = 256 };

static bool is_tmpfs(int fd)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 && status.f_type == TMPFS_MAGIC;
}

static uint64_t allocated_of(const struct stat *status)
{
    return (uint64_t)status->st_blocks * BLOCK_BYTES;
}

/* Where the last block ends. */
static uint64_t end_of(const struct stat *status)
{
    uint64_t block = status->st_blksize > 0 ? (uint64_t)status->st_blksize : 1;
    return ((uint64_t)status->st_size + block - 1) / block * block;
}

/*
 * File systems count blocks of their own (extent trees) as the file's, so that st_blocks alone can't tell. tmpfs, which
 * does not list extents, counts none; some overhead is allowed to others that don't.
 */
static bool has_blocks_beyond(int fd, const struct stat *status, uint64_t allocated)
{
    uint64_t end = end_of(status);
    struct fiemap map = {.fm_start = end, .fm_length = FIEMAP_MAX_OFFSET - end};
    if (ioctl(fd, FS_IOC_FIEMAP, &map) == 0) {
        return map.fm_mapped_extents > 0;
    }
    uint64_t overhead = is_tmpfs(fd) ? 0 : OVERHEAD_BYTES + end / OVERHEAD_SHARE;
    return allocated > end + overhead;
}

int inode_view_look(int fd, struct inode_view *ret)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    uint64_t allocated = allocated_of(&status);
    *ret = (struct inode_view){.size = (uint64_t)status.st_size,
                               .allocated = allocated,
                               .goes_beyond = has_blocks_beyond(fd, &status, allocated)};
    return 0;
}

int inode_view_look_memory(int fd, struct inode_view *ret)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    uint64_t allocated = allocated_of(&status);
    *ret = (struct inode_view){
        .size = (uint64_t)status.st_size, .allocated = allocated, .goes_beyond = allocated > end_of(&status)};
    return 0;
}

static int empty(int fd)
{
    int result;
    do {
        result = ftruncate(fd, 0) < 0 ? -errno : 0;
    } while (result == -EINTR);
    return result;
}

int inode_view_empty(int fd, struct inode_view *ret)
{
    (void)inode_view_look(fd, ret);
    return empty(fd);
}

int inode_view_empty_memory(int fd, struct inode_view *ret)
{
    (void)inode_view_look_memory(fd, ret);
    return empty(fd);
}
