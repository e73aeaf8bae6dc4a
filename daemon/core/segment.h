/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment as the core sees it: a charge in the ledger and a state. What it is made of (a memfd, a
 * file) is the shell's; the core only carries the shell's handle.
 */
#pragma once

#include "proto/base/tree.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/ledger.h"

enum segment_state {
    SEGMENT_NEW,     /* not asked for yet, or made and not lent yet: never between two steps */
    SEGMENT_MAKING,  /* the shell was asked to make it */
    SEGMENT_LIVE,    /* lent out */
    SEGMENT_POOLED,  /* made ahead, nobody's yet */
    SEGMENT_FREEING, /* the shell was asked to free it */
};

/* How the pages of a segment are to be had. */
struct segment_options {
    enum huge_pages huge_pages;
    int32_t numa_node; /* -1: no binding */
    bool interleave;   /* between the NUMA nodes */
    bool prefault;     /* by the daemon, which then pays for the pages */
};

struct segment {
    uint64_t id;
    struct lease *lease; /* NULL: the pool's */
    enum segment_state state;
    bool doomed; /* its lease ended while it was being made: free it as soon as it is */
    bool has_huge_pages;
    struct charge charge;
    uint64_t least_bytes; /* of one that is being made: what it takes without huge pages */
    struct segment_options options;
    uint64_t request_id; /* of the request that waits for it, while making */
    uint64_t key;        /* the id of the request that asked for it first; 0: it wanted no answer */
    uint64_t host_epoch; /* the host memory snapshot that it was granted under */
    void *handle;        /* the shell's, once made */
    union {
        TAILQ_ENTRY(segment) in_lease;
        TAILQ_ENTRY(segment) in_pool;
    };
    RB_ENTRY(segment) by_id;
};

TAILQ_HEAD(segment_list, segment);

/* Who touches its pages first, and so pays for them. */
static inline enum charged_to segment_charged_to(const struct segment *segment)
{
    bool by_broker = segment->options.prefault || segment->has_huge_pages;
    return segment->charge.location != LOCATION_RAM ? CHARGE_UNSPECIFIED : by_broker ? CHARGE_BROKER : CHARGE_CLIENT;
}
