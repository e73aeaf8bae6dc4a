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
    SEGMENT_POOLED,  /* made ahead, not leased yet */
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
    struct lease *lease; /* NULL: the pool's, or a block's */
    struct block *block; /* that it is, or is about to be: then it has a lease still */
    bool is_sealing;     /* the shell was asked to seal it: it is freed only when that is done */
    bool is_published;   /* or was about to be: its lease's client has it for reading alone */
    enum segment_state state;
    bool doomed; /* its lease ended while it was being made: free it as soon as it is */
    bool has_huge_pages;
    struct charge charge;
    uint64_t least_bytes; /* of one that is being made: what it takes without huge pages */
    struct segment_options options;
    uint64_t request_id; /* of the request that waits for it, while making */
    uint64_t asked_at;   /* when that request came, while making */
    uint64_t freeing_since;
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
    return !location_is_memory(segment->charge.location) ? CHARGE_UNSPECIFIED
           : by_broker                                   ? CHARGE_BROKER
                                                         : CHARGE_CLIENT;
}

struct broker;
struct step;

void segment_tree_insert(struct broker *broker, struct segment *segment);
void segment_tree_remove(struct broker *broker, struct segment *segment);
struct segment *segment_tree_next(const struct broker *broker, uint64_t after);
struct segment *segment_find(const struct broker *broker, uint64_t id);

/* Asks the shell to make a new segment that is charged and has its owner. Returns the effect, to add a file to it. */
struct effect_make *segment_begin_making(struct step *step, struct segment *segment);

/* It was made, or could not be: it is new again, and may be lent, freed, dropped or made once more. */
void segment_end_making(struct broker *broker, struct segment *segment);

/* Asks the shell to make it immutable. */
void segment_begin_sealing(struct step *step, struct segment *segment);

/* Asks the shell to free it. */
void segment_begin_freeing(struct step *step, struct segment *segment);
