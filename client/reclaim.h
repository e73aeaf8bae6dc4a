/* SPDX-License-Identifier: Apache-2.0 */
/* Leasing memory for workspaces and buffers: what is tried before a refusal reaches the program. */
#pragma once

#include "membroker.h"

/*
 * mb_acquire() and mb_map(). Where a limit is in the way: first what the library itself holds in reserve is given back,
 * then the program's reclaim hook is asked, up to max_retries times with a wait after each. A last refusal's
 * sentence ends with this process's largest holders. No lock of the library's may be held.
 */
int reclaim_acquire(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease,
                    void **ret_address);

/* The same without asking anybody: for sizes that are only wished for. */
int reclaim_try(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease,
                void **ret_address);
