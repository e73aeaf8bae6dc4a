/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that can be published. A file has no seals, so the daemon keeps a descriptor of it that is for reading alone,
 * and its borrowers get two others: one for reading and writing, and one for reading. When the former is closed
 * everywhere nobody can write any more but the user that owns the file, which is the daemon's, by opening it again, and
 * who has had the kernel pin pages of it. All of this may wait for as long as a process holds the inode: for worker
 * processes alone, with one exception.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/os/inode_view.h"

/*
 * Takes a descriptor that nobody else has, for reading and writing. Returns the one to keep and the two for borrowers,
 * or negative errno. -ENOLCK: the file system has no file leases, or does not count who writes, so that
 * block_file_prove() could not tell.
 */
int block_file_open(int fd, int *ret_readable, int *ret_writable);

/* Whether this is the descriptor that is kept of such a file. It waits for nobody. */
bool block_file_is_one(int fd);

/*
 * Proves that nobody has the file open for writing, and that it has this length and all of its blocks. 0; -EBUSY:
 * somebody can still write; -EPERM: a borrower has changed the size, or punched holes; or negative errno.
 */
int block_file_prove(int fd, uint64_t bytes);

/*
 * Looks at the file and truncates it to nothing, by opening it for writing once more. -EPERM: not now, since a borrower
 * of the daemon's own user keeps it from being opened so (by a file lease, by its mode, by executing it). If no
 * borrower is left closing the descriptor frees the blocks, and the result is 0.
 */
int block_file_empty(int fd, struct inode_view *ret);
