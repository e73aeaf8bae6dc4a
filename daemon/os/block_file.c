/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/os/block_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/os/open_file.h"
#include "proto/base/cleanup.h"

enum { MODE = 0600 };

/* Where it differs from what there is, the file system can't be asked. */
static int check_answer(int answer, int expected)
{
    return answer == expected ? 0 : answer == -EMFILE || answer == -ENFILE || answer == -ENOMEM ? answer : -ENOLCK;
}

int block_file_open(int fd, int *ret_readable, int *ret_writable)
{
    cleanup(fd_closep) int first = fd;
    cleanup(fd_closep) int kept = open_file_again(first, O_RDONLY);
    cleanup(fd_closep) int readable = open_file_again(first, O_RDONLY);
    if (kept < 0 || readable < 0) {
        return kept < 0 ? kept : readable;
    }
    int result = check_answer(open_file_check_writers(kept), -EBUSY);
    fd_closep(&first);
    if (result == 0) {
        result = check_answer(open_file_check_writers(kept), 0);
    }
    if (result < 0) {
        return result;
    }
    int writable = open_file_again(kept, O_RDWR);
    if (writable < 0) {
        return writable;
    }
    *ret_writable = writable;
    *ret_readable = fd_steal(&readable);
    return fd_steal(&kept);
}

bool block_file_is_one(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY;
}

int block_file_prove(int fd, uint64_t bytes)
{
    struct inode_view view = {0};
    int result = open_file_check_writers(fd);
    if (result == 0) {
        result = inode_view_look(fd, &view);
    }
    return result < 0 ? result : inode_view_is_whole(&view, bytes) ? 0 : -EPERM;
}

int block_file_empty(int fd, struct inode_view *ret)
{
    (void)fchmod(fd, MODE); /* a borrower of the same user may have changed that */
    cleanup(fd_closep) int writable = open_file_again(fd, O_RDWR);
    if (writable >= 0) {
        return inode_view_empty(writable, ret);
    }
    (void)inode_view_look(fd, ret);
    return open_file_is_sole(fd) ? 0 : -EPERM;
}
