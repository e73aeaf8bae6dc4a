/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of a memfd or file: its length and its blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct inode_view {
    uint64_t size;      /* bytes */
    uint64_t allocated; /* bytes of blocks, with what the file system counts for itself */
    bool goes_beyond;   /* blocks lie beyond the end of the file */
};

/* 0 or negative errno. May wait for as long as the inode's lock is held: for worker processes alone. */
int inode_look(int fd, struct inode_view *ret);
