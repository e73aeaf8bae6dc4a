/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spill directory: where mapped segments live, as files that have no name from birth (O_TMPFILE). If the file
 * system can't do that, a name exists for an instant, with a prefix by which a later start finds and removes what a
 * crash in that instant left. The directory is opened for each file: it may have been replaced meanwhile.
 */
#pragma once

#include <stdint.h>

struct spill {
    const char *path; /* borrowed */
    uint64_t owner;   /* a number of this daemon's own: by it a clean-up tells present names from left-over ones */
};

/*
 * A file of exactly `bytes`, mode 0600, with every block allocated, that can never be given a name. Returns the
 * descriptor or negative errno (-ENOSPC, -EDQUOT: and *ret_free says what is free). Takes as long as the file system
 * needs.
 */
int spill_create(const struct spill *spill, uint64_t bytes, uint64_t *ret_free);

/* Removes what earlier daemons left. */
void spill_tidy(const struct spill *spill);

/*
 * Makes a file at least `bytes` long, every block allocated; by writing if the file system has no fallocate. Leaves
 * the blocks alone that the file system reserves for root: -ENOSPC.
 */
int spill_allocate(int fd, uint64_t bytes);

/* What the file system of this file or directory has free for ordinary users; 0 if it won't say. */
uint64_t spill_free_bytes(int fd);
