/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spill directory: where mapped segments live, as files that have no name from birth (O_TMPFILE). Where
 * the file system can't do that, a name exists for an instant, with a prefix by which a later start finds
 * and removes what a crash in that instant left.
 */
#pragma once

#include <stdint.h>

struct spill {
    int fd;           /* of the directory */
    const char *path; /* borrowed */
};

/* Opens the directory and removes left-over files of ours. Returns 0 or negative errno. */
int spill_open(const char *path, struct spill *ret);
void spill_close(struct spill *spill);

/*
 * A file of exactly `bytes`, mode 0600, with every block allocated. Returns the descriptor or negative errno
 * (-ENOSPC, -EDQUOT: and *ret_free says what is free). Takes as long as the file system needs. Any thread.
 */
int spill_create(const struct spill *spill, uint64_t bytes, uint64_t *ret_free);

/* Makes a file at least `bytes` long, every block allocated; by writing where the file system has no fallocate. */
int spill_allocate(int fd, uint64_t bytes);

/* What the file system has free for this process; 0 if it won't say. */
uint64_t directory_free_bytes(int directory);
