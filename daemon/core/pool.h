/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warm pool: RAM segments made ahead, every page present and zero, so that a grant costs neither creation nor
 * zeroing. It holds the sizes that the settings name and those that were asked for lately; a segment fits a request
 * of its very size only, so nothing is wasted. What is in it counts against the host's limits and is given
 * up before anybody waits.
 */
#pragma once

#include "daemon/core/input.h"
#include "daemon/core/segment.h"

struct pool_size {
    uint64_t bytes; /* 0: not in use */
    bool is_named;  /* in the settings */
    uint32_t wanted, ready, making;
    uint64_t asked_at; /* last, service clock */
};

struct pool {
    struct account account;
    struct pool_size sizes[POOL_SIZES_MAX];
    struct segment_list ready; /* oldest first */
    uint32_t making;
    uint64_t paused_until; /* a making failed, or memory was short */
    uint64_t hits, misses;
};
