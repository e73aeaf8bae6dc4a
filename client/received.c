/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the size, type and seals of what the broker sent. */
#include "client/received.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/size.h"

static bool has_seals(int fd, int wanted)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & wanted) == wanted;
}

const char *received_control_fault(int fd, uint64_t bytes, ino_t *ret_inode)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return "the broker sent no control page";
    }
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size < bytes) {
        return "the broker's control page is shorter than its welcome says";
    }
    *ret_inode = status.st_ino;
    return has_seals(fd, F_SEAL_SHRINK) ? NULL : "the broker's control page is not sealed: it could shrink";
}

/* Only a file's size may be no whole pages. */
static bool fills(uint64_t size, uint64_t bytes)
{
    uint64_t rounded;
    return size == bytes || (size_round_up(size, (uint64_t)sysconf(_SC_PAGESIZE), &rounded) && rounded == bytes);
}

const char *received_segment_fault(int fd, uint64_t bytes)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return "the broker sent no segment";
    }
    if (!S_ISREG(status.st_mode) || !fills((uint64_t)status.st_size, bytes)) {
        return "the broker's segment is not as long as its grant says";
    }
    return NULL;
}

const char *received_seals_fault(int fd)
{
    return has_seals(fd, F_SEAL_GROW) ? NULL : "the broker's segment is no sealed memfd";
}

const char *received_file_block_fault(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY ? NULL : "the broker's block can be written through its view";
}

const char *received_block_fault(int fd)
{
    return has_seals(fd, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL) ? NULL : "the broker's block can still be written";
}
