/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other open files of an inode, and what the kernel says of who has it open: it grants a file lease only if nobody has
 * the inode open in a way that the lease forbids, in a descriptor, in a mapping, or in a socket's queue. A lease is
 * dropped at once, since a kept one brings signals.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Another open file of the inode that a descriptor has, with this access mode. Returns it (close-on-exec) or negative
 * errno. */
int open_file_again(int fd, int access);

/* 0: nobody has the inode open for writing; -EBUSY: somebody has; or negative errno. For worker processes alone. */
int open_file_check_writers(int fd);

/* Whether it can hold a segment: a regular file without a name. `bytes`: its size; 0: any. Looking waits for no lock
 * that a borrower can hold. */
bool open_file_is_nameless(int fd, uint64_t bytes);

/* Whether no other open file of the inode exists than that of this descriptor, which is for reading. False: or the
 * kernel does not tell. For worker processes alone. */
bool open_file_is_sole(int fd);
