/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks descriptors of the broker before they are mapped. A mapping beyond the end of its file would be a SIGBUS
 * later, far from the cause.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* What is wrong with a control page of at least `bytes`; NULL: nothing, and *ret_inode is its file's number. */
const char *received_control_fault(int fd, uint64_t bytes, ino_t *ret_inode);

/* What is wrong with a segment of `bytes`, in whole pages. A file may end within the last page. NULL: nothing. */
const char *received_segment_fault(int fd, uint64_t bytes);

/* What is wrong with the seals of a segment of RAM; NULL: nothing. */
const char *received_seals_fault(int fd);

/* What is wrong with those of a published block; NULL: nothing, and no byte of it can change. */
const char *received_block_fault(int fd);

/* The same for one in a file, which has no seals: this process at least can't write to it. */
const char *received_file_block_fault(int fd);
