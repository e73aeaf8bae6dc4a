/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RAM segments and control pages: memfds. No name in any file system, so nothing can be left behind;
 * the memory goes with the last descriptor and mapping, or with the daemon's truncation.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct memfd_options {
    bool huge_pages;   /* back it with huge pages of the default size, allocated in full */
    int32_t numa_node; /* -1: no binding */
    bool interleave;   /* pages alternate between the NUMA nodes */
    bool transparent;  /* transparent huge pages, where the host allows shared memory to have them */
    bool prefault;     /* allocate every page now */
    bool publishable;  /* seals may be added later */
};

/*
 * A memfd of exactly `bytes` (whole pages), mode 0600, sealed F_SEAL_GROW | F_SEAL_SEAL: its borrower can
 * neither enlarge it nor forbid the daemon to truncate it. Returns the descriptor (close-on-exec) or
 * negative errno: -ENOMEM and -ENOSPC when the pages can't be had, -ENODEV for a NUMA node that isn't there. With
 * huge_pages or prefault it takes as long as the kernel needs for the pages. Any thread.
 */
int memfd_segment(uint64_t bytes, const struct memfd_options *options);

/*
 * The same in two steps. First an empty memfd with the mode and without huge pages, which takes no memory; then, while
 * nobody else has it, its size and its seals. The second takes the descriptor, and returns it or negative errno. Any
 * thread.
 */
int memfd_blank(void);
int memfd_segment_of(int blank, uint64_t bytes, const struct memfd_options *options);

/*
 * A publishable segment has F_SEAL_GROW alone, since F_SEAL_WRITE is to follow. Its borrowers get two other open files
 * of it, one for reading and writing and one for reading, and never the one that memfd_segment() returned: the kernel
 * does not count that among those that can write.
 *
 * Proves that no byte of a publishable segment can change any more, and that nobody has it open for writing. 0;
 * -EBUSY: somebody can still write; -EPERM: a borrower has added seals or changed the size; or negative errno. May take
 * as long as the kernel waits for pages that a device has; for worker processes alone.
 */
int memfd_seal(int fd, uint64_t bytes);

/* Whether that was proven of it before, of whatever size it is now. It takes no lock of the inode. */
bool memfd_is_sealed(int fd);

/* Whether a segment that can't be truncated, for a seal that a borrower added, has no borrower any more: no descriptor
 * and no mapping. Closing it then frees its memory. For worker processes alone. */
bool memfd_has_no_borrower(int fd);

struct memfd_control {
    void *address;   /* mapped for writing; the caller unmaps */
    bool is_counted; /* the descriptor is for reading alone, and the kernel counts who has such ones */
};

/*
 * A memfd of `bytes` mapped for writing, sealed against every change of size; all its pages exist. The descriptor is
 * for reading alone, and only this process's user can open the inode for writing; if the kernel gives no such
 * descriptor, F_SEAL_FUTURE_WRITE keeps others from writing. Returns the descriptor or negative errno. Once others have
 * it, no system call that takes its inode's lock is made on it: they can hold that lock.
 */
int memfd_control(uint64_t bytes, struct memfd_control *ret);

/* The same for a part of a board. Whoever has an object of a user may read all of that user's. */
int memfd_board(uint64_t bytes, struct memfd_control *ret);

/*
 * Who has a control page, or a part of a board, still? Only worker processes ask, since the inode may be a client's as
 * well. First its descriptor, which clients were sent, is opened again (open_file.h), and closed: what is left of that
 * open file is then the clients', whether in a descriptor, a mapping or a socket's queue. If the new one is the only
 * one, this gives the memory back: who has an O_PATH descriptor is not counted, and keeps the inode.
 */
int memfd_control_empty(int fd);

/* Whether this host gives shared memory transparent huge pages where a mapping is advised to have them. */
bool memfd_has_transparent_huge_pages(void);

/* The host's default huge page size in bytes; 0 where it has none reserved. */
uint64_t memfd_huge_page_bytes(void);

/* How /proc/self/fd shows a segment's descriptor, and a control page's. */
#define MEMFD_SEGMENT_LINK "/memfd:membroker:segment (deleted)"
#define MEMFD_CONTROL_LINK "/memfd:membroker:control (deleted)"
