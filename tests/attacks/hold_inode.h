/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holding the lock of an inode for as long as one likes, without privileges: a system call that takes the lock copies
 * from or to a page of a file whose FUSE server does not answer. The server and the call are a process of their own,
 * in a user and a mount namespace that it makes.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum inode_hold {
    INODE_HELD_BY_WRITE,  /* pwrite() from the page into a file */
    INODE_HELD_BY_LISTING /* getdents64() of a directory into the page: the lock is shared, nothing can be made there */
};

struct inode_holder {
    pid_t process;
    int control;
    int file; /* of inode_holder_start_file(); else -EBADF */
    bool is_holding;
    int error; /* why it does not hold: the errno of the kernel's refusal */
    char refused[96];
};

/*
 * Begins to hold the inode behind `fd`, as user `uid` if we are root. Returns when the call waits for the page, or when
 * that could not be had: `is_holding` is false then, and `refused` says what was not possible. The caller ends it.
 */
struct inode_holder *inode_holder_start(uid_t uid, int fd, enum inode_hold how);

/* A descriptor (`file`) of a FUSE file: each close of one returns only after inode_holder_end(). */
struct inode_holder *inode_holder_start_file(uid_t uid);

/* Lets go, waits until the process has ended, and frees. NULL is allowed. */
struct inode_holder *inode_holder_end(struct inode_holder *holder);

/* Whether this kernel lets a user without privileges mount FUSE; if not, `ret` says why. Asked once in a process. */
bool inode_holder_is_possible(uid_t uid, char *ret, size_t size);
