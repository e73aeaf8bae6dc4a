/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: from the client to the daemon. See message.h. */
#pragma once

#include "proto/message_values.h"

enum request_kind {
    REQUEST_UNKNOWN, /* newer than this code, or none at all */
    REQUEST_HELLO,
    REQUEST_ACQUIRE,
    REQUEST_EXTEND,
    REQUEST_RELEASE,
    REQUEST_RENEW,
    REQUEST_STATUS,
    REQUEST_LIST,
    REQUEST_REVOKE,
    REQUEST_PING,
    REQUEST_AUDIT,
    REQUEST_BYE,
    REQUEST_CANCEL,
    REQUEST_TRIMMED,
    REQUEST_WHY,
    REQUEST_RELOAD,
    REQUEST_RESERVE,
    REQUEST_ATTACH,
    REQUEST_UNRESERVE,
    REQUEST_SUSPEND,
    REQUEST_METRICS,
    REQUEST_PUBLISH,
    REQUEST_ATTACH_BLOCK,
    REQUEST_UNPUBLISH,
    REQUEST_PUT,
    REQUEST_GET,
    REQUEST_OPEN_BOARD,
    REQUEST_REMOVE,
    REQUEST_WATCH_BLOCKS,
    REQUEST_KINDS
};

struct hello_request {
    uint32_t protocol_min, protocol_max;
    char name[MESSAGE_NAME_SIZE];                       /* of the client; may be empty */
    uint64_t heap_bytes, max_bytes, max_physical_bytes; /* the client's own limits; LIMIT_DEFAULT, 0: off, or bytes */
    bool monitor;                                       /* it opens no session */
    bool resume;                                        /* it resumes `session`, and proves by `token` that it may */
    uint64_t session;
    struct token token;
};

struct acquire_request {
    uint64_t bytes; /* rounded up to whole pages; 0 only with `file` or `use_learned` */
    enum location location;
    uint32_t ttl_ms;              /* 0: the daemon's default */
    char name[MESSAGE_NAME_SIZE]; /* of the lease; may be empty */
    enum huge_pages huge_pages;
    bool has_huge_pages;          /* false: the client's class decides */
    int32_t numa_node;            /* bind the pages to this node; -1: no binding */
    bool interleave;              /* alternate the pages between the NUMA nodes */
    bool prefault;                /* allocate every page before the grant */
    uint32_t wait_ms;             /* how long the request may wait; 0: not at all */
    bool learned;                 /* `bytes` is what a workspace of this name learned: remember it */
    bool use_learned;             /* take the size that is remembered for this name, or `bytes` if there is none */
    char file[MESSAGE_NAME_SIZE]; /* name of a file that persists; empty: an ordinary segment */
    uint64_t repeats;             /* id of the request that this one repeats; 0: none */
    bool publishable;             /* the segment can be published as a block */
};

struct extend_request {
    uint64_t lease;
    uint64_t bytes;
    bool prefault;
    uint32_t wait_ms; /* as in acquire_request */
    uint64_t repeats; /* as in acquire_request */
};

struct lease_use {
    uint64_t lease;
    uint64_t used_bytes; /* at most the lease's size */
};

struct renew_request {
    const struct lease_use *use; /* leases that are not listed keep their last report */
    size_t use_count;            /* at most MESSAGE_USE_MAX */
};

enum list_what {
    LIST_SESSIONS,
    LIST_LEASES,
    LIST_OWN_LEASES,
    LIST_QUEUE,
    LIST_RESERVATIONS,
    LIST_USAGE,
    LIST_EVENTS,
    LIST_BLOCKS,
    LIST_SAMPLES,
    LIST_BOARDS,
};

struct list_request {
    enum list_what what;
    uint64_t after; /* list what has a greater number, or place in the queue; 0: from the beginning */
    bool settled;   /* of events: only those before the first that can still change */
    uint32_t most;  /* entries in the page; 0: as many as fit */
};

/* What a reservation is to be. */
struct reservation_terms {
    char name[MESSAGE_NAME_SIZE];
    uint64_t bytes;        /* of RAM: guaranteed, and its limit */
    uint64_t mapped_bytes; /* of mapped files: its limit */
    bool has_uid;          /* its members are processes of one user only */
    uint32_t uid;
    bool has_priority, has_weight;
    uint32_t priority, weight;
    uint32_t expires_ms; /* 0: never */
};

struct control_group_list {
    const char *const *paths; /* not checked yet */
    size_t count;
};

struct reserve_request {
    struct reservation_terms terms;
    struct control_group_list groups;
};

struct attach_request {
    char name[MESSAGE_NAME_SIZE];
    struct control_group_list groups;
};

struct unreserve_request {
    char name[MESSAGE_NAME_SIZE];
};

struct suspend_request {
    char name[MESSAGE_NAME_SIZE];
    bool ends; /* it is resumed */
};

struct publish_request {
    uint64_t lease;
    char name[MESSAGE_NAME_SIZE];
    enum lifetime lifetime;
    uint32_t keep_ms; /* 0: until it is unpublished */
    enum block_access access;
    uint32_t gid; /* of BLOCK_ACCESS_GROUP */
    bool replace; /* the block that has the name loses it */
    char type[MESSAGE_NAME_SIZE];
    struct message_bytes metadata; /* at most MESSAGE_METADATA_MAX */
};

struct attach_block_request {
    bool has_owner;
    uint32_t owner; /* without one: the user who asks */
    char name[MESSAGE_NAME_SIZE];
    uint32_t wait_ms; /* for a block of that name; 0: not at all */
    uint32_t ttl_ms;  /* 0: the daemon's default */
};

struct unpublish_request {
    bool has_owner;
    uint32_t owner; /* without one: the user who asks */
    char name[MESSAGE_NAME_SIZE];
};

struct put_request {
    char name[MESSAGE_NAME_SIZE];
    struct message_bytes data; /* at most MESSAGE_OBJECT_MAX */
    enum lifetime lifetime;
    enum block_access access;
    uint32_t gid; /* of BLOCK_ACCESS_GROUP */
};

struct get_request {
    bool has_owner;
    uint32_t owner; /* without one: the user who asks */
    char name[MESSAGE_NAME_SIZE];
};

struct open_board_request {
    uint64_t board;
    uint32_t part;
};

struct remove_request {
    bool has_owner;
    uint32_t owner; /* without one: the user who asks */
    char name[MESSAGE_NAME_SIZE];
};

struct watch_blocks_request {
    bool has_owner;
    uint32_t owner; /* without one: the user who asks */
    char prefix[MESSAGE_NAME_SIZE];
    uint64_t after;                     /* a revision; 0: the blocks that there are, and then: */
    char after_name[MESSAGE_NAME_SIZE]; /* those that come after this one */
    uint32_t wait_ms;                   /* for the first change; 0: not at all */
};

struct request {
    uint64_t id; /* 0: the client wants no answer */
    enum request_kind kind;
    union {
        struct hello_request hello;
        struct acquire_request acquire;
        struct extend_request extend;
        uint64_t release_lease;
        struct renew_request renew;
        struct list_request list;
        uint64_t revoke_lease;
        uint64_t cancel_request; /* the id of the request that waits */
        uint64_t trimmed_bytes;  /* given back because of a trim event */
        uint64_t why_session;    /* 0: every session that waits or was refused lately */
        struct reserve_request reserve;
        struct attach_request attach;
        struct unreserve_request unreserve;
        struct suspend_request suspend;
        struct publish_request publish;
        struct attach_block_request attach_block;
        struct unpublish_request unpublish;
        struct put_request put;
        struct get_request get;
        struct open_board_request open_board;
        struct remove_request remove;
        struct watch_blocks_request watch_blocks;
    };
};
