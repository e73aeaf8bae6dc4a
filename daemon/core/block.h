/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks: segments that were published. A block's bytes never change, and others attach it by its name: each with a
 * view, which is a lease of no bytes. The lease that it was published from stays with its publisher.
 *
 * Life: writing (the segment is still its lease's, and is being sealed), published (its name leads to it), condemned
 * (it has lost its name; those that have it keep it for now), freeing. From its publication on, its bytes are charged
 * to an account of its own, below those of its user: they stay charged when the publisher's session is gone.
 */
#pragma once

#include <sys/queue.h>

#include "daemon/core/effect.h"
#include "daemon/core/identity.h"
#include "daemon/core/lease.h"
#include "daemon/core/principal.h"
#include "proto/base/tree.h"

enum block_state {
    BLOCK_WRITING,
    BLOCK_PUBLISHED,
    BLOCK_CONDEMNED, /* has views, or its publisher's lease, or is about to be freed in this step */
    BLOCK_FREEING,   /* is no block of its user's any more, but for its bytes */
};

struct block {
    uint64_t id;
    enum block_state state;
    enum end_reason ended; /* once condemned */
    uint64_t bytes;        /* that the figures count it with, until it is out of the table */
    uint32_t owner;        /* uid */
    enum lifetime lifetime;
    enum block_access access;
    uint32_t gid;
    uint64_t keep_ns;      /* how long it is kept from its publication on; 0: no time is set */
    uint64_t published_at; /* service clock */
    uint64_t due;          /* published: it ends then; condemned: others' views do; 0: nothing is due */
    struct account account;
    struct share *share;                /* that it is charged to; referenced */
    struct segment *segment;            /* of its own once published; while writing its lease's */
    struct lease *publisher;            /* NULL: it has let go of it */
    struct lease_list views;            /* others than the publisher's */
    uint32_t view_count, foreign_count; /* of these; and of those of other users */
    bool is_evicting;                   /* its publisher's lease is to be ended */
    bool is_unkept;                     /* all that have it are to lose it */
    bool is_listed;                     /* until it is being freed: in the trees by who may see it */
    uint64_t request_id;                /* of the publication, while writing */
    bool replace;
    char name[MESSAGE_NAME_SIZE];
    char type[MESSAGE_NAME_SIZE];
    uint8_t *metadata; /* NULL: none */
    size_t metadata_count;
    RB_ENTRY(block) by_id;
    RB_ENTRY(block) by_owner;                      /* if it is listed */
    RB_ENTRY(block) by_access;                     /* likewise, and others may see it */
    RB_ENTRY(block) by_name;                       /* published */
    RB_ENTRY(block) by_due;                        /* if something is due */
    TAILQ_ENTRY(block) in_idle[ACCOUNT_ABOVE_MAX]; /* of each account above its own, while it may be evicted */
    TAILQ_ENTRY(block) in_left;
    TAILQ_ENTRY(block) in_evicting;
    TAILQ_ENTRY(block) in_unkept;
};

RB_HEAD(block_id_tree, block);
RB_HEAD(block_owner_tree, block);
RB_HEAD(block_access_tree, block);
RB_HEAD(block_name_tree, block);
RB_HEAD(block_due_tree, block);
TAILQ_HEAD(block_list, block);

enum { BLOCKS_REMEMBERED = 512, BLOCKS_REMEMBERED_OF_USER = 64 };

/* Why a name leads to no block any more. */
struct ended_block {
    uint64_t order; /* 0: none; else the larger the newer */
    uint32_t owner, gid;
    enum block_access access;
    enum end_reason reason;
    char name[MESSAGE_NAME_SIZE];
};

struct block_table {
    struct block_id_tree by_id;         /* all but those that are being written */
    struct block_owner_tree by_owner;   /* and number */
    struct block_access_tree by_access; /* group and number */
    struct block_name_tree by_name;
    struct block_due_tree by_due;
    struct block_list evicting; /* whose publishers' leases are to be ended */
    struct block_list unkept;   /* that the next daemon can't go on with */
    struct block_list left;     /* restored, and nobody has them: to be freed */
    bool has_untold;            /* somebody may have had a view of one that was restored, and not know of its end */
    uint64_t left_until;        /* until then, if there are such */
    struct ended_block ended[BLOCKS_REMEMBERED];
    uint64_t ended_order;
    struct block_figures figures;
};

/* ---- the table ---- */

void block_table_init(struct block_table *table);
struct block *block_table_find(const struct block_table *table, uint64_t id);
struct block *block_table_next(const struct block_table *table, uint64_t after);
/* The first after this number of an owner; of those that all may see, or (BLOCK_ACCESS_GROUP) that a group may. */
struct block *block_table_next_of_owner(const struct block_table *table, uint32_t owner, uint64_t after);
struct block *block_table_next_shared(const struct block_table *table, enum block_access access, uint32_t gid,
                                      uint64_t after);

struct block *block_table_named(const struct block_table *table, uint32_t owner, const char *name);
struct block *block_table_first_named(const struct block_table *table);
/* The first with this prefix whose name comes after `after`; and the next one. NULL: there is none. */
struct block *block_table_next_named(const struct block_table *table, uint32_t owner, const char *prefix,
                                     const char *after);
struct block *block_table_following(const struct block *block, const char *prefix);
struct block *block_table_first_due(const struct block_table *table);

void block_table_add(struct block_table *table, struct block *block);
void block_table_remove(struct block_table *table, struct block *block);
/* It is being freed: nobody who lists blocks sees it any more. */
void block_table_unlist(struct block_table *table, struct block *block);

void block_table_add_name(struct block_table *table, struct block *block);
void block_table_remove_name(struct block_table *table, struct block *block);

/* When something is due; 0: nothing is. */
void block_table_set_due(struct block_table *table, struct block *block, uint64_t due);

/* Remembers why a block has lost its name; and recalls it, NULL: nothing is remembered. */
void block_table_bury(struct block_table *table, const struct block *block);
const struct ended_block *block_table_recall(const struct block_table *table, uint32_t owner, const char *name);

/* ---- life ---- */

struct broker;
struct step;

/* What a block begins with. */
struct block_terms {
    uint64_t id; /* 0: a new number */
    uint32_t owner;
    enum lifetime lifetime;
    enum block_access access;
    uint32_t gid;
    uint64_t keep_ns;
    const char *name, *type; /* of MESSAGE_NAME_SIZE bytes */
    struct message_bytes metadata;
};

/* A block that is being written, under a share of which it takes a reference. NULL: memory is short. */
struct block *block_new(struct broker *broker, struct share *share, const struct block_terms *terms);

/* Nobody has it any more: from now on it is none of its user's blocks, only bytes. */
void block_begin_freeing(struct block *block);

/* Frees one that was never published, or whose segment is gone. */
void block_free(struct broker *broker, struct block *block);

/* The lease's segment becomes the block's, and its name leads to it. */
void block_publish(struct broker *broker, struct block *block, struct lease *lease, uint64_t now);

/* It is charged under another share of its user from now on, whose reference it takes. */
void block_join(struct broker *broker, struct block *block, struct share *share);

/* The bytes are its own from now on, whatever the limits are. */
void block_take_segment(struct block *block, struct segment *segment);

/* After a restart: its name leads to it again, and of the caches it is the one that was unused for longest. */
void block_publish_again(struct broker *broker, struct block *block, uint64_t due);

/* After a restart: it had lost its name before. */
void block_condemn_again(struct broker *broker, struct block *block, enum end_reason reason);

/* It was evicted, and has a publisher, whose lease is ended at the end of the step. */
void block_note_evicted(struct broker *broker, struct block *block);

/* The next daemon can't go on with it: all that have it lose it in this step and the following ones. */
void block_note_unkept(struct broker *broker, struct block *block);

/* It loses its name, at the request of `by` (NULL: of nobody). If nobody has it, it is freed. */
void block_condemn(struct step *step, struct block *block, enum end_reason reason, const struct identity *by);

/* Says to the shell what became of it. */
struct effect_block *block_tell(struct step *step, const struct block *block, enum block_change change);

/* Others' views of a block that has lost its name end after a grace time: they must not keep the owner's quota. */
void block_set_grace(struct broker *broker, struct block *block, uint64_t now);

/* A lease becomes a view of it; or a view, or the publisher's lease, has ended. */
void block_add_view(struct broker *broker, struct block *block, struct lease *lease);
void block_leave(struct step *step, struct lease *lease);

/* Whether such a process may attach what has this owner and access. */
bool block_admits(enum block_access access, uint32_t owner, uint32_t gid, const struct identity *identity);
