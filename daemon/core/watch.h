/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching the names of blocks that begin with a prefix. A watch is a request, which is answered once: with a list, or
 * with the changes after a revision, for which it may wait. So a client that does not read has nothing queued. What it
 * missed it gets when it asks again, or it is told to list again.
 *
 * Those that wait are grouped by owner and prefix, those of the owner's own sessions and those of others. A change
 * makes the groups of its name's prefixes ready, at most two for each, however many watch. What is for the owner alone
 * leaves the others' groups alone, so that their watches cost it nothing. A step answers some of those in ready groups,
 * and the next ones go on.
 */
#pragma once

#include <sys/queue.h>

#include "daemon/core/block_changes.h"
#include "proto/base/tree.h"
#include "proto/message.h"

struct broker;
struct session;
struct step;
struct block;

enum {
    WATCH_KINDS = 3,          /* new requests, those whose wait is over, those in ready groups */
    WATCHES_PER_STEP = 4,     /* of each kind */
    WATCH_NAMES_AT_ONCE = 64, /* of one list; a step may go on with it WATCHES_PER_STEP times */
};

struct watch {
    uint64_t number;
    struct session *session;
    uint64_t request_id;
    uint64_t until; /* service clock */
    uint64_t after; /* a revision; of a list: that of its beginning */
    bool is_list;
    uint32_t owner;
    bool is_owners; /* its session may attach the owner's blocks whatever their access */
    char prefix[MESSAGE_NAME_SIZE];
    char looked_at[MESSAGE_NAME_SIZE];   /* of a list: names up to this one */
    uint64_t found[MESSAGE_CHANGES_MAX]; /* of a list: blocks for its page so far */
    uint32_t found_count;
    struct watch_group *group; /* in which it waits; NULL: it is among the new ones */
    TAILQ_ENTRY(watch) in_session;
    TAILQ_ENTRY(watch) in_list; /* of the new ones, or of its group */
    RB_ENTRY(watch) by_until;   /* in a group */
};

TAILQ_HEAD(watch_list, watch);
RB_HEAD(watch_until_tree, watch);

/* Those that wait for changes of the same names, and may be told of blocks for their owner alone or not. They came in
 * the order of what they know. */
struct watch_group {
    uint32_t owner;
    bool is_owners; /* the owner's own sessions watch */
    char prefix[MESSAGE_NAME_SIZE];
    bool is_ready;
    uint64_t first_match,
        last_match; /* of a ready one: no change between its watches' revisions and the first matches */
    struct watch_list watches;
    RB_ENTRY(watch_group) by_prefix;
    TAILQ_ENTRY(watch_group) in_ready;
};

RB_HEAD(watch_group_tree, watch_group);
TAILQ_HEAD(watch_group_list, watch_group);

struct watch_table {
    uint64_t next_number;
    struct watch_list fresh; /* new requests, and lists that take more than one step */
    struct watch_group_tree groups;
    struct watch_group_list ready;
    struct watch_until_tree by_until;
    struct block_changes changes;
    size_t answer_count; /* in this step's effects */
    struct block_change_entry answers[WATCH_KINDS * WATCHES_PER_STEP][MESSAGE_CHANGES_MAX];
};

void watch_table_init(struct watch_table *table, uint64_t first_revision);

/* Puts it in a group, to wait there. False: memory is short. */
bool watch_table_park(struct watch_table *table, struct watch *watch);

/* Takes it from its group, or from the new ones. From a group it knows of all changes before the first that matches. */
void watch_table_unlist(struct watch_table *table, struct watch *watch);

/* The block has been published, or has lost its name for `ended`: those that wait for its name are to be looked at. */
void watch_table_note(struct watch_table *table, const struct block *block, enum end_reason ended);

/* One that is in a ready group and has not been looked at since the last match; NULL: there is none. */
struct watch *watch_table_first_ready(struct watch_table *table);

/* The one whose wait is over first, or NULL. */
struct watch *watch_table_first_until(const struct watch_table *table);

/* ---- */

/* A request of a session. */
void watch_request(struct step *step, struct session *session, const struct request *request);
void watch_cancel(struct step *step, struct session *session, uint64_t request_id);
void watch_drop_session(struct broker *broker, struct session *session);

/* Answers some of those that can be. */
void watch_work(struct step *step);

/* When that is due; 0: now; UINT64_MAX: nothing is. */
uint64_t watch_next_wakeup(const struct broker *broker);
