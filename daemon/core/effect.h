/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the core wants done, as values: a bounded list that the shell carries out in order. What can
 * fail out there (making a segment) comes back to the core as an input.
 */
#pragma once

#include <assert.h>
#include <stddef.h>

#include "daemon/core/identity.h"
#include "daemon/core/segment.h"
#include "proto/message.h"

enum effect_kind {
    EFFECT_MAKE_SEGMENT,
    EFFECT_SEAL_SEGMENT,    /* prove that nobody can write to it any more; report INPUT_SEGMENT_SEALED */
    EFFECT_FREE_SEGMENT,    /* truncate to nothing, then close; report INPUT_SEGMENT_FREED */
    EFFECT_SESSION_OPENED,  /* the peer has this session: welcome it */
    EFFECT_SESSION_RESUMED, /* the peer has its session on a new connection: welcome it */
    EFFECT_REPLY,           /* to one peer: an answer or an event */
    EFFECT_BROADCAST,       /* an event, to every connected session */
    EFFECT_LEASE_ENDED,     /* for the log and the history alone */
    EFFECT_BLOCK,           /* a block was published or has ended: keep that, before anything that follows */
    EFFECT_BOARD_GROW,      /* make a part of a board; report INPUT_BOARD_GROWN, and ask again for what needed it */
    EFFECT_BOARD_WRITE,     /* put a record there, and lead to it or past it; before anything that follows */
    EFFECT_BOARD_END,       /* tell its readers; report INPUT_BOARD_FREED of each part that no process has any more */
    EFFECT_RESERVATIONS,    /* they have changed: keep them, before anything that follows */
    EFFECT_LOOK,            /* look whether the session's process is frozen; report INPUT_LOOKED */
    EFFECT_SLOT,            /* write a slot of the peer's control page, before anything that follows */
    EFFECT_SESSION_OVER,    /* the peer has no session any more: close its connection */
    EFFECT_SESSION_GONE,    /* and the core forgets the peer */
};

struct effect_make {
    uint64_t segment;
    enum location location;
    uint64_t bytes, least_bytes; /* with huge pages, and without; the same where none are wanted */
    struct segment_options options;
    const char *file;         /* a named file's; borrowed from the lease, NULL: none */
    uint64_t file_bytes;      /* its exact length */
    struct identity identity; /* for whom it is made; all zero: for the pool */
    bool is_publishable;      /* it will be lent with a second descriptor for reading alone, and may be sealed */
};

struct effect_seal {
    uint64_t segment;
    void *handle;
    uint64_t bytes;
};

struct effect_free {
    uint64_t segment;
    void *handle;
    enum location location;
    uint64_t bytes;
};

/* Which descriptors of a segment travel with a reply. */
enum segment_lending {
    LENDS_WRITABLE,
    LENDS_BOTH,     /* one for reading and writing, and one for reading alone */
    LENDS_READABLE, /* the latter */
};

struct effect_reply {
    void *peer;
    void *segment_handle; /* travels with it; NULL: nothing does */
    enum segment_lending lending;
    struct reply reply;
};

struct effect_slot {
    void *peer;
    uint32_t slot;
    uint64_t generation;
    enum end_reason reason; /* END_NONE when a lease takes the slot */
};

/* Who revoked a lease, whose request of higher priority it was taken for, or which reservation was given up. */
struct effect_cause {
    bool is_request;
    bool is_reservation; /* then `client` is its name */
    uint64_t session;    /* 0: of a connection without one */
    int32_t pid;
    uint32_t uid;
    char client[MESSAGE_NAME_SIZE];
    uint64_t bytes; /* of the request */
};

struct effect_ended {
    void *peer;
    uint64_t lease, bytes;
    enum location location;
    enum end_reason reason;
    char name[MESSAGE_NAME_SIZE];
    char client[MESSAGE_NAME_SIZE];
    char class[MESSAGE_CLASS_SIZE];
    struct effect_cause cause; /* of END_REVOKED */
};

enum block_change { BLOCK_CHANGE_PUBLISHED, BLOCK_CHANGE_ENDED };

struct effect_block {
    enum block_change change;
    uint64_t block;
    uint32_t owner, charged_uid; /* whose name it has; and who pays, who is another user in a user namespace */
    uint64_t bytes;
    enum location location;
    enum lifetime lifetime;
    enum end_reason reason; /* ended */
    void *segment_handle;
    char name[MESSAGE_NAME_SIZE];
    char class[MESSAGE_CLASS_SIZE];
    char client[MESSAGE_NAME_SIZE]; /* its publisher's, and what follows */
    uint64_t session;               /* 0: its publisher has let go of it before */
    int32_t pid;
    bool has_by; /* whose request ended it */
    int32_t by_pid;
    uint32_t by_uid;
};

struct effect_board_grow {
    uint64_t board;
    void *handle;  /* NULL: it is the first part */
    uint32_t user; /* who is charged */
    uint32_t part;
    uint64_t bytes;
};

/* A number in the board's memory: so many bytes behind a position. */
struct board_link {
    uint32_t position, offset, value;
};

enum { BOARD_LINKS_MAX = 3 };

/* Readers see all of it or nothing. */
struct effect_board_write {
    void *handle;
    uint32_t record;      /* the position of a record to be written, 0: none is */
    uint32_t next;        /* and the entry that it leads to */
    bool is_over_another; /* the record stands where one stood to which readers are led until then */
    char name[MESSAGE_NAME_SIZE];
    struct message_bytes data; /* borrowed from the input */
    uint32_t cleared;          /* a block of buckets to be cleared, 0: none is */
    size_t link_count;
    struct board_link links[BOARD_LINKS_MAX]; /* in this order */
};

struct effect_board_end {
    void *handle;
};

enum reservation_change {
    RESERVATION_FORGOTTEN, /* they were given up before, and are empty now */
    RESERVATION_MADE,
    RESERVATION_EXTENDED,
    RESERVATION_SUSPENDED,
    RESERVATION_RESUMED,
    RESERVATION_GIVEN_UP,
    RESERVATION_EXPIRED,
};

/* What changed, for the log. */
struct effect_reservations {
    enum reservation_change change;
    char name[MESSAGE_NAME_SIZE]; /* empty: forgotten */
    uint64_t bytes;
    size_t more; /* expired in the same step */
    int32_t pid; /* who asked for it; 0: nobody */
    uint32_t uid;
};

struct effect_session {
    void *peer;
    uint64_t session;
    uint64_t request_id; /* of the hello: opened, resumed */
};

struct effect {
    enum effect_kind kind;
    union {
        struct effect_make make;
        struct effect_seal seal;
        struct effect_free free;
        struct effect_reply reply;
        struct effect_slot slot;
        struct effect_ended ended;
        struct effect_block block;
        struct effect_board_grow board_grow;
        struct effect_board_write board_write;
        struct effect_board_end board_end;
        struct effect_reservations reservations;
        struct effect_session session; /* look, opened, resumed, over, gone */
    };
};

enum {
    LEASE_EXTENTS_MAX = 64, /* bounds what ending one lease can cost in one step */
    EFFECTS_MAX = 256,
    EFFECTS_FOR_ONE_LEASE =
        LEASE_EXTENTS_MAX + 5, /* ending a lease: its segments, slot, log line, event, and its session's end */
};

struct effect_list {
    size_t count;
    struct effect effects[EFFECTS_MAX];
};

static inline size_t effect_room(const struct effect_list *list)
{
    return EFFECTS_MAX - list->count;
}

/* The next free entry; running out of them is a bug of the core, which bounds what it does in a step. */
static inline struct effect *effect_push(struct effect_list *list, enum effect_kind kind)
{
    assert(list->count < EFFECTS_MAX);
    struct effect *effect = &list->effects[list->count++];
    effect->kind = kind;
    return effect;
}
