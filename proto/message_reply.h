/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: answers and events, from the daemon to the client. See message.h. */
#pragma once

#include "proto/message_rows.h"

enum reply_kind {
    REPLY_UNKNOWN, /* newer than this code, or none at all */
    REPLY_ERROR,
    REPLY_WELCOME,
    REPLY_GRANT,
    REPLY_DONE,
    REPLY_RENEWED,
    REPLY_STATUS,
    REPLY_LISTING,
    REPLY_PONG,
    REPLY_AUDIT,
    REPLY_WHY,
    REPLY_METRICS,
    REPLY_ATTACHED,
    REPLY_GOT,
    REPLY_BOARD_PART,
    REPLY_BLOCK_CHANGES,
    EVENT_EXPIRING,
    EVENT_LEASE_ENDED,
    EVENT_LIMITS_CHANGED,
    EVENT_TRIM,
    EVENT_SHUTTING_DOWN,
    EVENT_PRESSURE,
    EVENT_REVOKING,
    EVENT_CONTROL_PAGE,
    EVENT_SPARED,
    REPLY_KINDS
};

/* ---- answers ---- */

struct error_reply {
    enum error_code code;
    char sentence[MESSAGE_SENTENCE_SIZE]; /* for people */
    struct refusal refusal;
    uint32_t system_errno; /* of ERROR_SYSTEM and ERROR_DISK_FULL: the daemon's errno; 0: none */
    enum end_reason ended; /* of ERROR_BLOCK_ENDED */
    bool comes_free;       /* what a put lacks is being freed: the client sends it again */
};

/* The bounds on the times of leases and sessions. */
struct lease_times {
    uint32_t ttl_min_ms, ttl_max_ms, ttl_default_ms, reconnect_grace_ms;
};

struct welcome_reply {
    uint32_t protocol; /* the version that both sides speak from here on */
    const char *daemon_version;
    uint64_t session; /* 0: the client is a monitor, and the reply has none of what belongs to a session */
    struct token token;
    bool resumed;
    struct lease_times times;
    struct byte_limits host_limits, client_limits;
    uint32_t message_bytes_max;
    uint64_t control_bytes; /* size of the first control page */
    bool leases_survive;    /* a restart of the daemon keeps the leases */
};

struct grant_reply {
    uint64_t lease;
    uint64_t segment;
    uint64_t bytes;         /* of the segment, in whole pages */
    enum location location; /* RAM or MMAP */
    uint32_t ttl_ms;
    uint32_t slot;          /* of the lease, in the control page */
    uint64_t generation;    /* of the slot while the lease lives */
    bool huge_pages;        /* the segment is in huge pages */
    uint32_t extents;       /* how many segments the lease has now */
    uint64_t file_bytes;    /* exact size of a named file; 0: the segment is none */
    enum charged_to charge; /* who pays for the pages */
    bool is_present;        /* every page exists: mapping all of them needs no allocation */
    bool is_remembered;     /* the size is the one that was remembered for the name */
    bool prefault;          /* the client shall touch every page before it uses the segment */
};

/* A view of a block; its descriptor comes with the answer. */
struct attached_reply {
    uint64_t lease; /* the view */
    uint64_t block; /* its number */
    uint64_t bytes;
    uint32_t ttl_ms;
    uint32_t slot;       /* of the view, in the control page */
    uint64_t generation; /* of the slot while the view lives */
    bool huge_pages;
    enum lifetime lifetime;
    enum location location;
    char type[MESSAGE_NAME_SIZE];
    struct message_bytes metadata;
};

/* An object. */
struct got_reply {
    struct message_bytes data;
    uint64_t board; /* that has it; 0: none that this user may open */
};

/* A part of a board; its descriptor comes with the answer. */
struct board_part_reply {
    uint64_t bytes;
};

/* What became of the blocks that are watched. */
struct block_changes_reply {
    const struct block_change_entry *changes;
    size_t change_count; /* at most MESSAGE_CHANGES_MAX */
    uint64_t revision;   /* what happened up to it is told */
    bool more;           /* of a list: another page follows */
    bool lost;           /* what happened is not remembered */
};

struct lease_end {
    uint64_t lease;
    enum end_reason reason;
};

struct renewed_reply {
    uint32_t leases; /* how many were renewed */
    const struct lease_end *ended;
    size_t ended_count; /* at most MESSAGE_ENDED_MAX */
};

/* Since the daemon started. */
struct broker_counters {
    uint64_t granted, released, expired, revoked, died, refused, extended;
};

/* What counts since the daemon started has a past participle. */
struct block_figures {
    uint64_t blocks;           /* how many, those included that have ended and are not free yet */
    uint64_t views;            /* without their publishers' leases */
    uint64_t bytes[LIFETIMES]; /* of those with each lifetime */
    uint64_t published, attached, evicted;
};

/* What counts since the daemon started has a past participle. */
struct object_figures {
    uint64_t objects, bytes; /* how many, and what they have */
    uint64_t board_bytes;    /* of the memory for them */
    uint64_t put, refused;
    uint64_t got; /* by asking the daemon */
};

struct status_reply {
    const char *daemon_version;
    int32_t pid;
    uint64_t uptime_ms;
    struct byte_limits limits;
    uint64_t used_bytes, used_physical_bytes, used_mapped_bytes;
    uint64_t freeing_bytes;              /* of the used ones: of leases that ended, not yet freed */
    uint64_t freeing_physical_bytes;     /* the part of them that is RAM */
    uint64_t sessions, leases, segments; /* how many */
    struct broker_counters counters;
    uint64_t host_total_bytes, host_available_bytes; /* of the machine, or of its control group if that has less */
    const char *spill_directory;
    uint64_t away_ms;      /* by which deadlines were moved because the daemon did not run */
    uint64_t pooled_bytes; /* of the used ones: ready for the next request */
    uint64_t pool_hits, pool_misses;
    uint64_t waiting;        /* how many requests */
    uint64_t reserved_bytes; /* guaranteed to others, and not used by them */
    enum pressure pressure;
    uint64_t remembered;             /* how many sizes that workspaces learned */
    const char *configuration_error; /* why the configuration files are not in force; "": they are */
    const char *warnings;            /* one on each line; "": none */
    uint64_t control_bytes;          /* of control pages, which no limit counts */
    uint32_t stuck_jobs;             /* how many jobs of worker processes; what follows is about the oldest one */
    uint32_t stuck_user;             /* its uid */
    uint64_t stuck_segment;          /* 0: none */
    uint64_t stuck_bytes, stuck_ms;
    uint64_t reservable_bytes; /* RAM that all reservations may have together */
    struct block_figures blocks;
    struct object_figures objects;
    uint64_t cut_off; /* how many clients were disconnected because they did not read or receive */
};

struct listing_reply {
    const struct session_entry *sessions;
    size_t session_count; /* at most MESSAGE_SESSIONS_MAX */
    const struct lease_entry *leases;
    size_t lease_count; /* at most MESSAGE_LIST_MAX */
    const struct queue_entry *queue;
    size_t queue_count; /* at most MESSAGE_QUEUE_MAX */
    const struct reservation_entry *reservations;
    size_t reservation_count; /* at most MESSAGE_RESERVATIONS_MAX */
    const struct usage_entry *usage;
    size_t usage_count; /* at most MESSAGE_USAGE_MAX */
    const struct event_entry *events;
    size_t event_count; /* at most MESSAGE_EVENTS_MAX */
    const struct block_entry *blocks;
    size_t block_count; /* at most MESSAGE_BLOCKS_MAX */
    const struct board_entry *boards;
    size_t board_count; /* at most MESSAGE_BOARDS_MAX */
    const struct sample_entry *samples;
    size_t sample_count; /* at most MESSAGE_SAMPLES_MAX */
    uint64_t last;       /* of events and samples: after which the next page begins; 0: of another listing */
    bool more;           /* another page follows */
};

struct audit_reply {
    uint64_t segments; /* how many were compared */
    uint64_t ledger_physical_bytes, ledger_mapped_bytes;
    uint64_t kernel_physical_bytes, kernel_mapped_bytes;
    uint64_t ledger_control_bytes, kernel_control_bytes;
    uint64_t resident_physical_bytes; /* of pages that RAM segments occupy now */
    uint64_t in_flight;               /* how many segments were being made or freed meanwhile */
    const char *const *differences;   /* a sentence for each */
    size_t difference_count;          /* at most MESSAGE_DIFFERENCES_MAX */
};

struct why_reply {
    const struct why_entry *entries;
    size_t count; /* at most MESSAGE_WHY_MAX */
};

/* One bucket: what took longer than the one before has. */
struct duration_count {
    uint64_t upto_ns; /* UINT64_MAX: it has no bound */
    uint64_t count;
};

struct durations {
    const struct duration_count *buckets;
    size_t bucket_count;
    uint64_t sum_ns;
};

struct limit_count {
    enum limit_kind kind;
    uint64_t count;
};

/* What membroker.proto says about each of them is not repeated here. */
struct metrics_reply {
    uint64_t started_unix_ms, restarts;
    uint64_t audits, audit_differences;
    uint64_t messages, loop_stalls;
    uint64_t descriptors, descriptors_max;
    uint64_t tampered;
    uint64_t waiting_bytes, waiting_oldest_ms;
    const struct limit_count *refusals;
    size_t refusal_count;
    struct durations acquire, wait, freeing, turn;
};

/* ---- events ---- */

/* The lease expires, or is revoked, when the time is over. */
struct expiring_event {
    uint64_t lease;
    uint64_t remaining_ms;
};

struct limits_event {
    struct byte_limits host_limits;
    struct lease_times times;
};

/* Another control page; its descriptor comes with the event. */
struct control_page_event {
    uint64_t bytes;
    uint32_t first_slot, slots; /* number of its first slot, and how many it has */
};

struct trim_event {
    uint64_t wanted_bytes;
    enum location location; /* RAM or MMAP */
    uint32_t deadline_ms;   /* from now: what is given back later helps nobody */
};

struct reply {
    bool is_answer; /* false: an event */
    uint64_t reply_to;
    uint32_t descriptors; /* how many travel with the frame */
    enum reply_kind kind;
    union {
        struct error_reply error;
        struct welcome_reply welcome;
        struct grant_reply grant;
        struct renewed_reply renewed;
        struct status_reply status;
        struct listing_reply listing;
        struct audit_reply audit;
        struct expiring_event expiring;
        struct lease_end lease_ended;
        struct limits_event limits_changed;
        struct trim_event trim;
        struct why_reply why;
        struct metrics_reply metrics;
        struct attached_reply attached;
        struct got_reply got;
        struct board_part_reply board_part;
        struct block_changes_reply block_changes;
        enum pressure pressure;
        struct expiring_event revoking;
        struct control_page_event control_page;
        uint64_t spared_lease;
    };
};
