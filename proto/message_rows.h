/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a refusal, and the rows of listings. See message.h. */
#pragma once

#include "proto/message_values.h"

/* A session that holds memory or whose requests wait for it, or a block. */
struct holder {
    uint64_t session;             /* 0: of a user whom the reader may not see, or a block */
    char name[MESSAGE_NAME_SIZE]; /* of the client or the block; a block's is empty if the reader may not see it */
    int32_t pid;
    uint32_t uid;
    uint64_t bytes; /* of what the limit counts */
    uint64_t block; /* its number; 0: it is a session */
    uint32_t views; /* of the block, its publisher's lease included */
    bool has_ended; /* the block has no name any more: its views keep it */
};

/* Why a request was refused or waits: the limit that it exceeds. limit_kind_unit() says what all figures are
 * numbers of. */
struct refusal {
    enum limit_kind limit_kind;
    char limit[MESSAGE_LIMIT_SIZE]; /* the limit's name; empty: there is no refusal */
    char whose[MESSAGE_WHOSE_SIZE];
    uint64_t limit_bytes, asked_bytes, used_bytes, free_bytes;
    uint64_t reserved_bytes; /* of the limit, held back for the reserves of others */
    uint64_t claimed_bytes;  /* of the limit, claimed by requests that wait */
    uint64_t pool_bytes;     /* of the used ones, those in the warm pool */
    size_t holder_count;
    struct holder holders[MESSAGE_HOLDERS_MAX]; /* the largest, in descending order */
    size_t ahead_count;
    struct holder ahead[MESSAGE_HOLDERS_MAX]; /* the largest claims: `bytes` is what the session asks for */
};

struct session_entry {
    uint64_t session;
    char name[MESSAGE_NAME_SIZE];
    int32_t pid;
    uint32_t uid, gid;
    bool connected;
    uint64_t leases; /* how many */
    uint64_t physical_bytes, mapped_bytes;
    struct byte_limits limits;
    char class[MESSAGE_CLASS_SIZE];
    uint32_t priority, weight;
    uint32_t charged_uid;                     /* the user who is charged: in a user namespace its owner, else `uid` */
    enum class_rule class_rule;               /* by which it has its class */
    char class_pattern[MESSAGE_PATTERN_SIZE]; /* the member of the class that it is; empty: none */
    uint64_t held_ms;                         /* how long its deadlines still stand still; 0: they don't */
};

struct lease_entry {
    uint64_t lease, session;
    char name[MESSAGE_NAME_SIZE];
    char client[MESSAGE_NAME_SIZE]; /* the session's name */
    char class[MESSAGE_CLASS_SIZE]; /* the session's */
    int32_t pid;
    uint32_t uid;
    uint64_t bytes, used_bytes;
    enum location location; /* RAM or MMAP */
    uint32_t extents;       /* how many segments */
    uint32_t ttl_ms;
    uint64_t remaining_ms;
    bool huge_pages;
    int32_t numa_node; /* -1: not bound */
    bool prefaulted;
    enum charged_to charge;
    bool interleaved;
    uint64_t block; /* that it is a view of, or that was published from it; 0: none */
};

/* A request that waits. */
struct queue_entry {
    uint64_t place; /* 1: the next to be served */
    uint64_t session;
    char name[MESSAGE_NAME_SIZE]; /* of the client */
    char class[MESSAGE_CLASS_SIZE];
    int32_t pid;
    uint32_t uid;
    uint64_t request; /* its id */
    uint64_t bytes;
    enum location location;
    uint32_t priority; /* including what it has gained by waiting */
    uint64_t waited_ms, remaining_ms;
    char limit[MESSAGE_LIMIT_SIZE]; /* the limit that it exceeds, as in a refusal */
    char whose[MESSAGE_WHOSE_SIZE];
};

struct reservation_entry {
    uint64_t reservation; /* its number */
    char name[MESSAGE_CLASS_SIZE];
    uint64_t bytes, mapped_bytes;           /* as it was asked for */
    uint64_t used_bytes, used_mapped_bytes; /* RAM and mapped files of its members */
    uint64_t sessions, leases;              /* how many */
    bool has_uid, has_priority, has_weight; /* said */
    uint32_t uid, priority, weight;
    bool is_over;          /* it was given up */
    bool is_suspended;     /* its members can't renew */
    uint64_t held_ms;      /* how long their deadlines still stand still for that; 0: they don't */
    uint64_t remaining_ms; /* UINT64_MAX: it does not expire */
    const char *const *control_groups;
    size_t control_group_count; /* at most MESSAGE_PATHS_MAX */
};

/* The account of a user, a group, a class or a reservation. */
struct usage_entry {
    uint64_t number; /* by which pages go on */
    enum usage_kind kind;
    char name[MESSAGE_CLASS_SIZE]; /* as the configuration has it; of a user that it does not name, the uid */
    bool has_id;                   /* it is a user or a group */
    uint32_t id;
    uint64_t bytes, physical_bytes, mapped_bytes;
    uint64_t freeing_bytes; /* of these: of leases that ended, not yet freed */
    struct byte_limits limits;
    uint64_t reserve_bytes;
    uint64_t sessions, leases; /* how many */
    uint64_t waiting, waiting_bytes, waiting_oldest_ms;
    uint64_t peak_bytes, peak_physical_bytes, peak_mapped_bytes;
    uint32_t weight;
};

/* Something that happened, once or several times within a second to the same session. */
struct event_entry {
    uint64_t event; /* its number: later ones are greater */
    uint64_t at_unix_ms, last_unix_ms;
    uint64_t count;
    uint64_t bytes; /* all of them together */
    uint64_t session, lease;
    uint64_t limit_bytes, used_bytes; /* of the limit that refused a request; held back and claimed counts as used */
    uint64_t by_session, by_bytes;    /* by_bytes 0: not for a request of higher priority */
    enum event_kind kind;
    enum location location;
    enum end_reason reason;
    enum error_code code; /* of a refusal */
    enum limit_kind limit_kind;
    int32_t pid, by_pid;
    uint32_t uid, by_uid;
    bool has_uid, has_by;           /* whose; by whom a lease was revoked */
    char client[MESSAGE_NAME_SIZE]; /* the session's name */
    char class[MESSAGE_CLASS_SIZE];
    char name[MESSAGE_NAME_SIZE]; /* of the lease or the reservation */
    char whose[MESSAGE_WHOSE_SIZE];
    char by_name[MESSAGE_NAME_SIZE];
    char text[MESSAGE_TEXT_SIZE];
};

struct block_entry {
    uint64_t block; /* its number */
    uint32_t owner; /* uid */
    char name[MESSAGE_NAME_SIZE];
    char type[MESSAGE_NAME_SIZE];
    uint64_t bytes;
    uint32_t views; /* how many, its publisher's lease included */
    enum location location;
    enum lifetime lifetime;
    enum block_access access;
    uint32_t gid;          /* of BLOCK_ACCESS_GROUP */
    uint64_t age_ms;       /* since it was published */
    uint64_t keep_ms;      /* until it ends; UINT64_MAX: no time is set */
    uint64_t publisher;    /* the session; 0: it has let go of the block */
    enum end_reason ended; /* why it has lost its name; END_NONE: it has it */
};

/* A block was published, or has lost its name. */
struct block_change_entry {
    uint64_t block; /* its number */
    uint64_t bytes;
    enum end_reason ended; /* END_NONE: it has the name */
    char name[MESSAGE_NAME_SIZE];
    char type[MESSAGE_NAME_SIZE];
};

struct board_entry {
    uint64_t board; /* its number */
    uint32_t owner; /* uid */
    char class[MESSAGE_CLASS_SIZE];
    uint64_t objects, object_bytes;                    /* how many, and what they have */
    uint64_t group_objects, all_objects, kept_objects; /* the parts that others may get, and that are kept */
    uint64_t bytes;                                    /* its memory */
    bool has_ended;                                    /* its memory is free when no process has it mapped */
};

/* What a class held at a time. */
struct sample_entry {
    uint64_t sample;     /* its number */
    uint64_t at_unix_ms; /* the same for all classes */
    uint64_t physical_bytes, mapped_bytes;
    struct byte_limits limits;
    char class[MESSAGE_CLASS_SIZE]; /* empty: the whole broker, which comes first */
    bool is_reservation;
};

/* Why a session's request waits, or why its last one was refused. */
struct why_entry {
    uint64_t session;
    char name[MESSAGE_NAME_SIZE]; /* of the client */
    int32_t pid;
    uint32_t uid;
    bool waits;        /* false: it was refused */
    bool is_over;      /* the session has ended; the figures are those of its last refusal */
    uint64_t place;    /* in the queue */
    uint64_t since_ms; /* time since the request began to wait, or was refused */
    enum location location;
    bool either; /* RAM or a file would do, and `location` is the one that could serve the request first */
    struct refusal refusal;
    uint64_t earliest_ms; /* until enough can come free if no lease is renewed; UINT64_MAX: not by itself */
};
