/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forked children. A child reads the memory that its parent had at the fork, and its writes go to copies of its own
 * (inherited.h). So that the parent does not use that memory for something else meanwhile, blocks that are older than a
 * living child wait until it has ended or executed another program.
 */
#pragma once

#include "client/python/src/owner.h"

/* Registers the handlers of fork(), once. 0 or negative errno. */
int forks_init(void);

/* How many children were forked so far; a block remembers when it was made. */
uint64_t forks_epoch(void);

/* Drops the reference and the owner's use, now or when no child can read the block any more. */
void forks_unref(struct owner *owner, mb_buffer *buffer, uint64_t made);

/* The same for a lease. */
void forks_release(struct owner *owner, mb_lease *lease, uint64_t made);

/* Whether no child may read blocks of this process. */
bool forks_allow_reuse(void);

/* How many blocks wait for children. */
size_t forks_waiting(void);
