/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to the core, as values. */
#pragma once

#include "daemon/core/identity.h"
#include "daemon/core/policy.h"
#include "proto/message.h"

enum input_kind {
    INPUT_OPEN_SESSION, /* a peer said hello: answered with EFFECT_SESSION_OPENED, or an error */
    INPUT_RESUMED,      /* the session has a new connection: answered with EFFECT_SESSION_RESUMED */
    INPUT_REQUEST,      /* acquire, extend, release, renew, revoke, bye, or about a reservation */
    INPUT_DISCONNECTED, /* the session's connection ended */
    INPUT_DIED,         /* the session's process ended */
    INPUT_READ,         /* the session's connection was read until it was empty */
    INPUT_SEGMENT_MADE,
    INPUT_SEGMENT_FAILED,
    INPUT_SEGMENT_SEALED, /* or why it is not: `error` */
    INPUT_SEGMENT_FREED,
    INPUT_SEGMENT_TAMPERED, /* its size is not what it was made with */
    INPUT_BOARD_GROWN,      /* a part of a board was made, or (`error`) was not */
    INPUT_BOARD_FREED,      /* no process has a part of one that has ended any more */
    INPUT_HOST_MEMORY,      /* what the host has available now */
    INPUT_PRESSURE,         /* how short of memory it is */
    INPUT_CONFIGURE,        /* new limits and times */
    INPUT_LOOKED,           /* whether the session's process is frozen; EFFECT_LOOK asked for that */
    INPUT_EMPTIED,          /* no process is left in the control groups of reservations that were given up */
    INPUT_TICK,             /* expire what is due, go on with what was left */
    INPUT_BLOCK_UNKEPT,     /* another daemon goes on, and this segment, a block, is not kept for it: all lose it */
    INPUT_SHUTDOWN,
};

static inline bool input_is_about_session(enum input_kind kind)
{
    return kind == INPUT_RESUMED || kind == INPUT_DISCONNECTED || kind == INPUT_DIED || kind == INPUT_READ ||
           kind == INPUT_LOOKED;
}

static inline bool input_is_about_segment(enum input_kind kind)
{
    return kind == INPUT_SEGMENT_MADE || kind == INPUT_SEGMENT_FAILED || kind == INPUT_SEGMENT_FREED ||
           kind == INPUT_SEGMENT_TAMPERED || kind == INPUT_SEGMENT_SEALED || kind == INPUT_BLOCK_UNKEPT;
}

/* How requests wait. */
struct queue_settings {
    uint32_t waiting_max; /* requests, in all */
    uint32_t waiting_per_user_max, waiting_per_session_max;
    uint32_t wait_max_ms;     /* longer waits are shortened to this */
    uint32_t ageing_ms;       /* a request's priority grows by one each time it has waited so long */
    uint32_t trim_ms;         /* how long clients have to trim */
    bool revoke_for_priority; /* take leases of lower priority for requests of higher */
    uint32_t revoke_grace_ms; /* not before a request has waited so long; as long have its victims */
};

enum { POOL_SIZES_MAX = 16 };

struct pool_sizes {
    size_t count;
    uint64_t bytes[POOL_SIZES_MAX];
};

struct pool_settings {
    uint64_t bytes;          /* 0: no pool */
    struct pool_sizes sizes; /* of which one is always to be ready */
};

/* What all reservations together may have. */
struct reservation_settings {
    uint64_t bytes_max; /* of RAM; LIMIT_OFF: no more than all there is to lend */
    uint32_t count_max; /* those included that were given up and are not empty */
    uint32_t hold_ms;   /* how long deadlines stand still while a member is frozen, or one is suspended; 0: never */
};

/* Blocks. */
struct sharing_settings {
    uint32_t blocks_max, views_max; /* of each user */
    uint32_t grace_ms;              /* how long others' views keep a block that has ended */
    uint32_t objects_max;           /* of each user */
    uint64_t board_bytes_max;       /* likewise */
    uint32_t watches_max;           /* of each session */
    uint32_t watches_per_user_max;  /* of each user */
};

struct broker_settings {
    struct byte_limits limits;
    struct lease_times times;
    struct queue_settings queue;
    struct pool_settings pool;
    struct reservation_settings reservations;
    struct sharing_settings sharing;
    uint32_t requests_max;       /* of a session, under way or waiting; 0: any number */
    uint32_t user_requests_max;  /* of a user; 0: any number */
    uint32_t user_sessions_max;  /* of a user without a quota of sessions; 0: any number */
    enum pressure pause_at;      /* the least level at which no RAM is granted; PRESSURE_NONE: it always is */
    const struct policy *policy; /* borrowed for the step; NULL: none */
};

/* The slots that a session's control pages have, as the shell makes them. */
struct control_room {
    uint32_t slots;      /* 0: nothing is said; at first: as many as there can be */
    uint64_t generation; /* even, and above all that were in pages that another session had */
};

struct input_open {
    uint64_t request_id; /* of the hello; all that INPUT_RESUMED has of this */
    struct identity identity;
    struct token token;
    struct hello_request hello;
    struct control_room room;
    const char *control_groups; /* of the process, as control_group.h has them; NULL: unknown. Borrowed for the step */
};

struct input_request {
    struct identity identity;
    struct control_room room;
    const struct request *request;
    uint64_t file_bytes; /* of the file that an acquire names, as it is now; 0: there is none */
};

struct input_segment {
    uint64_t segment;
    void *handle;          /* made */
    bool has_huge_pages;   /* made */
    bool is_least;         /* made with the least bytes, for want of huge pages */
    int error;             /* failed, or sealed: negative errno */
    uint64_t disk_free;    /* failed with -ENOSPC: what the spill file system has free */
    const char *directory; /* failed: where the file was to be; NULL: it is none. Borrowed for the step */
};

/* A part of a board. */
struct input_board {
    uint64_t board;
    uint32_t part;
    void *handle; /* grown, the first time */
    uint64_t key; /* likewise: of the hash of names */
    int error;    /* grown: negative errno */
};

/* What this host (or its cgroup) has; the total is what a request can at most wait for. */
struct input_host {
    uint64_t available_bytes, total_bytes;
};

/* Reservations, by their numbers. */
struct input_emptied {
    const uint64_t *reservations; /* borrowed for the step */
    size_t count;
};

struct input {
    enum input_kind kind;
    uint64_t session; /* whom it is about; 0 where it is about none, or the peer is a monitor */
    void *peer;       /* the shell's: for a new session, a resumed one, and as the address of a monitor's answer */
    union {
        struct input_open open;
        struct input_request request;
        struct input_segment segment;
        struct input_board board;
        struct input_emptied emptied;
        struct input_host host;
        enum pressure pressure;
        bool is_frozen; /* looked */
        struct broker_settings settings;
    };
};
