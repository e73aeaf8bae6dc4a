/* SPDX-License-Identifier: Apache-2.0 */
/* A lease, as this process has it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "membroker.h"
#include "proto/base/without_const.h"
#include "proto/control_page.h"
#include "proto/message.h"

struct extent {
    uint64_t bytes;
    int fd;        /* until it is mapped; then -EBADF */
    int readable;  /* the same segment, open for reading alone, until it is published; -EBADF: there is none */
    void *address; /* NULL: not mapped */
    struct guard_entry *guard;
    bool is_present; /* its pages exist, so they are mapped with it */
    bool prefault;   /* this process must make the pages, and pays for them */
};

enum { EXTENTS_MAX = 64 };

struct mb_lease {
    mb_client *client;
    uint64_t id;
    mb_location location;
    uint32_t ttl_ms;
    bool huge_pages;
    mb_charge charge;
    bool is_publishable;       /* its segment can be published as a block */
    _Atomic bool is_read_only; /* a view of a block, or a block that is not written any more */
    bool is_plain;             /* acquired without special options, so that another request may reuse it */
    bool is_learned;           /* its size is one that the broker keeps for its name */
    bool is_cached;            /* released by the program, kept for the next request */
    bool is_going;             /* its mappings are being removed, without a lock */
    bool is_prefaulted;
    bool may_have_old_content; /* MB_LEASE_UNDEFINED_CONTENT */
    bool has_old_content;      /* it comes from the cache, as it was */
    bool is_sparse;            /* few of its pages will be touched */
    bool is_protected;         /* while it is kept, touching it raises SIGSEGV */
    bool keeps_descriptors;    /* when it is mapped */
    bool lends_descriptors;    /* to the program */
    bool leaves_zeros;         /* in the place of its mappings: mb_release_to_zeros() */
    uint64_t cached_at;        /* ms */
    LIST_ENTRY(mb_lease) in_cache;
    char name[MESSAGE_NAME_SIZE];
    const char *_Atomic block;               /* the name of the block that it is a view or the memory of; NULL: none */
    uint64_t file_bytes;                     /* of a named file; 0: it has none */
    const struct control_slot *_Atomic slot; /* in a mapping that lives as long as the client */
    uint32_t slot_index;
    _Atomic uint32_t lost; /* enum mb_end_reason, if the library itself found that the lease is lost */
    uint64_t generation;
    _Atomic uint64_t used_bytes; /* as the program reports */
    uint64_t reported_bytes;     /* as the broker knows */
    _Atomic bool is_use_known;   /* the broker knows that the lease is used, or is about to be told */
    bool is_loss_noted;
    unsigned references; /* the program's, and those of queued events */
    unsigned extent_count;
    struct extent first;
    struct extent *more; /* the others, EXTENTS_MAX - 1; NULL: the lease was never extended. It stays where it is */
    void *owned;         /* freed with it: what the layer above has for this lease alone; NULL: nothing */
    TAILQ_ENTRY(mb_lease) in_client;
};

static inline struct extent *lease_extent(const mb_lease *lease, unsigned index)
{
    return index == 0 ? (struct extent *)without_const(&lease->first) : &lease->more[index - 1];
}

/* Makes room for more than one extent. Returns 0, or -ENOMEM with the sentence set. The client's lock is held. */
int lease_make_room(mb_lease *lease);

/* Whether the program has it, so that events about it make sense. The client's lock is held. */
static inline bool lease_is_held(const mb_lease *lease)
{
    return !lease->is_cached && !lease->is_going;
}

/* Frees the lease with its last reference. The client's lock is held. */
void lease_unreference(mb_lease *lease);

/*
 * A page of the lease is gone. True: then it is lost, though no broker is there to say so. From the signal's handler.
 */
bool lease_note_fault(mb_lease *lease);
