/* SPDX-License-Identifier: Apache-2.0 */
/* Leasing memory for workspaces and buffers: what is tried before a refusal reaches the program. */
#pragma once

#include "membroker.h"

/*
 * mb_acquire() and mb_map(). If memory is short, the library gives back what it holds in reserve; then it waits as long
 * as the client's options say; then it calls on_reclaim and the reclaimers up to max_retries times, with a pause after
 * each. A request that is larger than the limit itself is refused at once. The sentence of a final refusal ends with
 * the largest holders of this process. No lock may be held.
 */
int reclaim_acquire(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease,
                    void **ret_address);

/* Tries once. For a size that is better but not needed. */
int reclaim_try(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease,
                void **ret_address);
