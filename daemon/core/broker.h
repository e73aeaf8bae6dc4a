/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's core: takes an input and the time, changes its tables, and says what is to be done. Pure: no
 * system call, no descriptor, no clock, no log. One thread.
 *
 * `now` is the service clock in nanoseconds: the monotonic clock less the time that the daemon itself
 * was away. It never goes back.
 *
 * A step does a bounded amount of work. The next INPUT_TICK does the rest; broker_next_wakeup() then asks for it
 * immediately.
 */
#pragma once

#include "daemon/core/effect.h"
#include "daemon/core/figures.h"
#include "daemon/core/input.h"
#include "daemon/core/learned.h"

struct broker;

struct broker_options {
    struct broker_settings settings;
    uint64_t page_bytes;
    uint64_t huge_page_bytes; /* 0: the host has none */
    uint64_t first_revision;  /* of blocks' changes: greater than any of an earlier daemon */
    uint32_t daemon_uid;      /* may revoke anybody's lease, as root may */
};

/* NULL when memory is short. */
struct broker *broker_new(const struct broker_options *options);

/* Frees the tables, whatever is in them: for the end of the process and of tests. Takes NULL; returns NULL. */
struct broker *broker_free(struct broker *broker);

/* One input. *effects is emptied first. */
void broker_step(struct broker *broker, const struct input *input, uint64_t now, struct effect_list *effects);

/* ---- looking; nothing changes ---- */

/* When the next INPUT_TICK is due; 0: now; UINT64_MAX: nothing is due. */
uint64_t broker_next_wakeup(const struct broker *broker);

/*
 * The peers whose leases are about to be checked: their input must be read (INPUT_READ) before the tick. At most `max`;
 * a peer may stand there more than once.
 */
size_t broker_peers_to_read(const struct broker *broker, uint64_t now, void **ret_peers, size_t max);

/* The peer whose session has this number and token and belongs to this user; NULL: there is none to resume. */
void *broker_find_resumable(const struct broker *broker, uint64_t session, const struct token *token, uint32_t uid);

/* Fills what the core knows of a Welcome; `session` 0: to a monitor. */
void broker_fill_welcome(const struct broker *broker, uint64_t session, struct welcome_reply *welcome);

/* How many slots the session needs if all it asked for, and one lease more, is granted; 0: there is no such session. */
uint32_t broker_slots_wanted(const struct broker *broker, uint64_t id);

/* Fills what the core knows of a status. */
void broker_fill_status(const struct broker *broker, struct status_reply *status);

/*
 * Listings and explanations are for a viewer: what belongs to users whom he may not see is left out, or (a place in the
 * queue, a holder) told without a name.
 */

/* A page of a listing, at most `max` entries with numbers above `after`. Returns how many; *ret_more: there are more.
 */
size_t broker_list_sessions(const struct broker *broker, const struct identity *viewer, uint64_t after, uint64_t now,
                            struct session_entry *entries, size_t max, bool *ret_more);

/* `session` 0: everybody's leases. */
size_t broker_list_leases(const struct broker *broker, const struct identity *viewer, uint64_t session, uint64_t after,
                          uint64_t now, struct lease_entry *entries, size_t max, bool *ret_more);

/* Requests that wait, in the order in which they will be served, after the first `after` of them. */
size_t broker_list_queue(struct broker *broker, const struct identity *viewer, uint64_t after, uint64_t now,
                         struct queue_entry *entries, size_t max, bool *ret_more);

/* Reservations: those that the viewer may see. The page also ends if its control groups' paths are long. */
size_t broker_list_reservations(const struct broker *broker, const struct identity *viewer, uint64_t after,
                                uint64_t now, struct reservation_entry *entries, size_t max, bool *ret_more);

/* The accounts of users, groups, classes and reservations: those that the viewer may see. Classes are totals, which
 * everybody sees. */
size_t broker_list_usage(const struct broker *broker, const struct identity *viewer, uint64_t after, uint64_t now,
                         struct usage_entry *entries, size_t max, bool *ret_more);

/* Blocks: those that the viewer may see or attach. */
size_t broker_list_blocks(const struct broker *broker, const struct identity *viewer, uint64_t after, uint64_t now,
                          struct block_entry *entries, size_t max, bool *ret_more);
size_t broker_list_boards(const struct broker *broker, const struct identity *viewer, uint64_t after,
                          struct board_entry *entries, size_t max, bool *ret_more);

/* How many users have more blocks or views than the settings allow, as those may that a daemon before has let them
 * have; if any, the sentence says it of the first. */
uint64_t broker_count_beyond_sharing(const struct broker *broker, char sentence[MESSAGE_SENTENCE_SIZE]);

/* What was counted since the start; valid until the next input. */
const struct figures *broker_figures(const struct broker *broker);

/* What all waiting requests ask for, and how long the oldest one has waited. */
void broker_fill_waiting(const struct broker *broker, uint64_t now, uint64_t *ret_bytes, uint64_t *ret_oldest_ms);

/* Why requests wait, or were refused lately: of one session, or (0) of anybody, those that wait first. */
size_t broker_explain(struct broker *broker, const struct identity *viewer, uint64_t session, uint64_t now,
                      struct why_entry *entries, size_t max);

/* Whether there is such a session that the viewer may see. */
bool broker_shows_session(const struct broker *broker, const struct identity *viewer, uint64_t id);

/* What the whole broker and each class that holds something have now, without a time: at most `max` rows. */
size_t broker_sample(const struct broker *broker, struct sample_entry *ret, size_t max);

/* How often the waiting requests were gone through. */
uint64_t broker_passes(const struct broker *broker);

/* The names of a session's client and class, valid until the next step; if it is gone they stay as they are. */
void broker_describe(const struct broker *broker, uint64_t session, const char **ret_client, const char **ret_class);

/* The sizes that are remembered, longest unused first, and the number of changes so far; for keeping them. */
const struct learned_table *broker_learned(const struct broker *broker);
void broker_restore_learned(struct broker *broker, const struct learned_key *key, uint64_t bytes);

/* The control groups of a reservation; what it points to lives until the next step. */
struct reservation_groups {
    uint64_t reservation;
    const char *const *control_groups;
    size_t control_group_count;
};

/* Of those that were given up the one with the smallest number above `after`. False: there is none. */
bool broker_next_given_up(const struct broker *broker, uint64_t after, struct reservation_groups *ret);

/* The reservation that a session is a member of. False: it is of none. */
bool broker_find_groups(const struct broker *broker, uint64_t session, struct reservation_groups *ret);

/* Whether these settings and the reservations that there are can be together; if not, the sentence says why. */
bool broker_accepts(const struct broker *broker, const struct broker_settings *settings,
                    char sentence[MESSAGE_SENTENCE_SIZE]);

/* A segment as an audit sees it. */
struct segment_view {
    uint64_t id, lease; /* 0: the pool's, or a block's */
    bool is_block;      /* that has not ended for all */
    enum segment_state state;
    enum location location;
    uint64_t bytes;
    void *handle;
};

/* The segment with the smallest number above `after`. False: there is none. */
bool broker_next_segment(const struct broker *broker, uint64_t after, struct segment_view *ret);

/* The segments of one lease of a session, in turn: each call shows the next, after the last the first again. Returns
 * how many; 0: it has no lease. */
size_t broker_look_at_next_lease(struct broker *broker, uint64_t session, struct segment_view ret[LEASE_EXTENTS_MAX]);

/* Whether requests wait: what the host has available matters to them. */
bool broker_is_short(const struct broker *broker);

/* What the ledger holds in all, for an audit. */
void broker_ledger_totals(const struct broker *broker, uint64_t *ret_physical, uint64_t *ret_mapped);

/* True once INPUT_SHUTDOWN was given and every lease and segment is gone. */
bool broker_is_empty(const struct broker *broker);

/* Whether somebody still has a block of which INPUT_BLOCK_UNKEPT said that it can't go on. */
bool broker_has_unkept_blocks(const struct broker *broker);

/* Where the bytes of an object are, if this process may get it. */
struct object_place {
    void *handle;   /* the shell's, of its board */
    uint64_t board; /* 0: none that this user may open */
    uint32_t position, name_bytes, bytes;
};

bool broker_find_object(const struct broker *broker, const struct identity *identity, const struct get_request *asked,
                        struct object_place *ret);

/* The shell's handle of a board that this process may open; NULL: of none. */
void *broker_find_board(const struct broker *broker, const struct identity *identity, uint64_t id);

/* What the ledger has of all boards. */
uint64_t broker_board_bytes(const struct broker *broker);

/* Checks every invariant of the tables; returns what does not hold, or NULL. For tests and audits; slow. */
const char *broker_check(const struct broker *broker);
