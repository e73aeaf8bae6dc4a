/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell as the core's tests have it: it carries out effects on nothing but its own lists, keeps what it was
 * told, and checks what a real shell relies on (no segment made or freed twice, slots written in order).
 */
#pragma once

#include <criterion/criterion.h>
#include <stdbool.h>

#include "daemon/core/broker.h"
#include "tests/unit/core/board_model.h"

enum { MODEL_PEERS = 32, MODEL_SEGMENTS = 8192, MODEL_REPLIES = 512, MODEL_CHANGES = 32, MODEL_PAGE = 4096 };

struct model_peer {
    uint64_t session; /* 0: none, or over */
    uint32_t uid;     /* that it was opened as; 0: it was not, or as root */
    bool is_over;     /* the core still holds the cookie: not to be used again */
    uint64_t look;    /* whether this session is frozen is asked; 0: it is not */
    bool is_frozen;   /* the answer */
};

struct model_segment {
    uint64_t id;
    enum location location;
    uint64_t bytes, least_bytes;
    bool making, made, freeing;
    bool is_publishable, sealing, sealed;
    int error; /* what its making will fail with; 0: it won't */
    bool has_huge_pages;
};

struct model {
    uint64_t file_bytes;   /* the length of the file that requests name */
    const char *directory; /* that makings fail in; NULL: nothing is said of it */
    struct broker *broker;
    struct broker_options options;
    uint64_t now;
    struct effect_list effects;
    struct model_peer peers[MODEL_PEERS];
    struct model_segment segments[MODEL_SEGMENTS];
    size_t segment_count;
    struct board_model boards;
    bool hold_makes, hold_frees;                        /* results wait for model_finish() */
    bool hold_seals;                                    /* those as well */
    int seal_error;                                     /* what sealing fails with; 0: it does not */
    struct effect_block block;                          /* the newest */
    size_t blocks_ended;                                /* how many */
    bool hold_looks;                                    /* those too */
    size_t looks;                                       /* how often one was asked for */
    int fail_error;                                     /* 0, or what makings in RAM and of named files fail with */
    bool fails_files;                                   /* those of nameless files too */
    bool gives_huge_pages;                              /* where they are asked for */
    int (*fail_making)(const struct effect_make *make); /* what this one fails with, or 0; NULL: as said above */
    struct reply replies[MODEL_REPLIES];                /* the newest answers and events, oldest first */
    void *reply_peers[MODEL_REPLIES];
    size_t reply_count;
    struct block_change_entry changes[MODEL_CHANGES][MESSAGE_CHANGES_MAX]; /* of the newest answers that have some */
    size_t change_next;
    struct effect_ended ended; /* the newest */
    uint64_t slot_generation;  /* of the newest slot effect */
    enum end_reason slot_reason;
    uint64_t next_request;
    uint64_t trace; /* a hash of all effects: the same inputs must give the same */
    size_t largest_step;
    void (*around_step)(bool begins); /* called before and after each step of the broker; NULL: nothing is */
    long live_before;                 /* blocks, before it was made */
    uint64_t check_every, steps;      /* the tables are checked in each such step; 0: in every one */
};

/* A policy of three classes, by client names a*, b* and c*, c by the slices jobs-*.slice too: weights 1, 2 and 3; c has
 * a reserve and a priority. */
extern const struct policy model_policy;

/* Who may see everything. */
extern const struct identity model_root;

/* What a new model's host has as huge pages: bytes; 0 (unless a test says otherwise): none. */
extern uint64_t model_huge_page_bytes;

/* A broker with these limits: bytes; 0 is "off". */
struct model *model_new(uint64_t max_bytes, uint64_t max_physical, uint64_t max_mapped);
void model_free(struct model *model);

/* One input, its effects, and (unless held) the results of makings and freeings; the invariants are checked after each
 * step. */
void model_feed(struct model *model, const struct input *input);

/* Lets held results through. */
void model_finish(struct model *model);

/*
 * The daemon is killed and another takes over what was saved: sessions, segments that were lent, blocks and views; what
 * else was being made or freed is gone. Every session is detached afterwards.
 */
void model_restart(struct model *model);

/* Opens a session for a peer with this heap (LIMIT_DEFAULT: none); user 1000 + peer. Returns its number. */
uint64_t model_open(struct model *model, int peer, uint64_t heap_bytes);

/* The same with a name, and as this user. */
uint64_t model_open_as(struct model *model, int peer, const char *name, uint32_t uid);

/* The same with a name, and in these control groups; NULL: unknown. */
uint64_t model_open_in(struct model *model, int peer, const char *name, const char *control_groups);

/* Requests; each returns the newest answer to it, or NULL when there is none (yet). */
const struct reply *model_request(struct model *model, int peer, struct request *request);
/* One that wants no answer. */
void model_request_unanswered(struct model *model, int peer, struct request *request);
const struct reply *model_acquire(struct model *model, int peer, uint64_t bytes, enum location location,
                                  uint32_t ttl_ms);
const struct reply *model_release(struct model *model, int peer, uint64_t lease);
const struct reply *model_renew(struct model *model, int peer);

/* A request for RAM that is willing to wait. */
const struct reply *model_acquire_waiting(struct model *model, int peer, uint64_t bytes, uint32_t wait_ms);

/* Takes changed settings (model->options.settings) into force. */
void model_configure(struct model *model);

/* Advances the time by so many milliseconds, and checks everything that is due; clients are read first. */
void model_pass(struct model *model, uint64_t milliseconds);

/* The newest answer to a request, or NULL; the number of events of a kind for a peer since the last model_forget(). */
const struct reply *model_answer(const struct model *model, uint64_t request_id);
size_t model_events(const struct model *model, int peer, enum reply_kind kind);
void model_forget(struct model *model);

/* How the core is told of a segment, and of a peer; and the end of a segment. */
void *model_handle(const struct model_segment *segment);
void *model_cookie(int peer);
void model_forget_segment(struct model *model, struct model_segment *segment);

/* What exists, by the shell's own account. */
uint64_t model_existing(const struct model *model, enum location location);
struct status_reply model_status(const struct model *model);
