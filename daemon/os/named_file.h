/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that programs name themselves, in the one directory that the configuration allows. Such a file is its
 * user's: it is there before and after the lease. What is opened is a regular file with one name, of that user, under a
 * lock that no other lease of it can have.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/os/inode_view.h"

struct named_file {
    int directory;    /* by named_directory_reach() */
    const char *name; /* checked by named_file_is_valid_name() */
    uid_t uid;        /* whose it is, or will be */
    gid_t gid;
};

/* Whether it is the name of a file right in the directory: no slash, no leading dot. */
bool named_file_is_valid_name(const char *name);

/* How long the file is now; 0 if there is none. For worker processes alone: its user may hold the directory's lock. */
uint64_t named_file_bytes(const struct named_file *file);

/*
 * Opens the file, making it if there is none, and fills it with zeros up to `bytes`, every block allocated. Returns the
 * descriptor, or negative errno: -EBUSY: another lease has it; -EACCES: it is another user's, or can't be given to this
 * one; -EMLINK: it has other names, or is no regular file, or something is mounted over it; -ESTALE: it is longer than
 * `bytes`. What fails leaves the file as it was. For worker processes alone: it takes as long as the file system and
 * the file's user like.
 */
int named_file_open(const struct named_file *file, uint64_t bytes);

/* Frees the blocks beyond the file's end, if there are any, and gives up the lock. The descriptor stays the caller's.
 */
void named_file_let_go(int fd, const struct inode_view *view, uint64_t bytes);
