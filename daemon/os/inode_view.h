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

/* Whether an inode of this length has all of its blocks and none beyond its end. */
static inline bool inode_view_is_whole(const struct inode_view *view, uint64_t length)
{
    return view->size == length && view->allocated >= length && !view->goes_beyond;
}

/* 0 or negative errno. Both may wait for as long as the inode's lock is held: for worker processes alone. */
int inode_view_look(int fd, struct inode_view *ret);

/* The same for a memfd, which no file system needs to be asked about: whatever is allocated is its own. */
int inode_view_look_memory(int fd, struct inode_view *ret);

/* Looks at the inode, then truncates it to nothing: all of its memory is free afterwards, even what is mapped. */
int inode_view_empty(int fd, struct inode_view *ret);
int inode_view_empty_memory(int fd, struct inode_view *ret);
