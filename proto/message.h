/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of the wire as plain C values: what the codec makes of bytes, what the broker's core
 * takes and returns, and what the client library sends. Nothing here knows of protobuf or sockets.
 *
 * The enumerators have the numbers of membroker.proto (codec.c asserts it). Sizes are in bytes,
 * durations in milliseconds. Strings are NUL-terminated; names, once decoded from a request, are valid UTF-8 without
 * control characters. Pointers are borrowed: a decoded message points into the decode buffer, a
 * message to be encoded into whatever its maker owns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limit_kind.h"
#include "proto/base/location.h"

enum {
    MESSAGE_BYTES_MAX = 65536, /* of a frame's payload */
    MESSAGE_NAME_SIZE = 64,    /* of a client's or a lease's name, NUL included */
    MESSAGE_TOKEN_SIZE = 16,
    MESSAGE_SENTENCE_SIZE = 1024,
    MESSAGE_HOLDERS_MAX = 3,
    MESSAGE_LIST_MAX = 200,   /* entries in one page of a listing: fits a frame with the longest names */
    MESSAGE_USE_MAX = 3000,   /* leases reported in one Renew: fits a frame with the largest numbers */
    MESSAGE_ENDED_MAX = 2000, /* ended leases told in one Renewed */
    MESSAGE_DIFFERENCES_MAX = 100,
    MESSAGE_WHOSE_SIZE = 48, /* of an account's name in a refusal: "host", "client", "class training" */
    MESSAGE_QUEUE_MAX = 200, /* waiting requests in one page of a listing */
    MESSAGE_WHY_MAX = 24,    /* explanations in one answer */
    PROTOCOL_VERSION = 2,
    PROTOCOL_VERSION_OLDEST = 1,
};

#define LIMIT_OFF     UINT64_MAX       /* a limit that is switched off; absent in an answer */
#define LIMIT_DEFAULT (UINT64_MAX - 1) /* a limit that the client's Hello does not mention */

enum huge_pages { HUGE_PAGES_NEVER, HUGE_PAGES_TRY, HUGE_PAGES_ALWAYS };

/* Who pays for the pages of a RAM lease: whose cgroup they are charged to. */
enum charged_to { CHARGE_UNSPECIFIED, CHARGE_BROKER, CHARGE_CLIENT };

/* How short of memory the machine is. */
enum pressure { PRESSURE_NONE, PRESSURE_SOME, PRESSURE_FULL };

enum end_reason {
    END_NONE,
    END_RELEASED,
    END_EXPIRED,
    END_REVOKED,
    END_DIED,
    END_DISCONNECTED,
    END_SHUTDOWN,
    END_TAMPERED,
    END_REASONS
};

enum error_code {
    ERROR_UNSPECIFIED,
    ERROR_MALFORMED,
    ERROR_OVERSIZED,
    ERROR_UNKNOWN_REQUEST,
    ERROR_PROTOCOL_VERSION,
    ERROR_NOT_GREETED,
    ERROR_INVALID,
    ERROR_LIMIT,
    ERROR_HOST_MEMORY,
    ERROR_DISK_FULL,
    ERROR_NO_SUCH_LEASE,
    ERROR_LEASE_ENDED,
    ERROR_NO_SUCH_SESSION,
    ERROR_NOT_PERMITTED,
    ERROR_NOT_SUPPORTED,
    ERROR_TOO_MANY,
    ERROR_SYSTEM,
    ERROR_SHUTTING_DOWN,
    ERROR_MONITOR,
    ERROR_REPLACED,
    ERROR_BUSY,
    ERROR_CANCELLED,
    ERROR_CODES
};

/* Upper bounds on the bytes that exist at once; LIMIT_OFF where there is none. */
struct byte_limits {
    uint64_t max_bytes;
    uint64_t max_physical_bytes;
    uint64_t max_mapped_bytes;
};

struct token {
    uint8_t bytes[MESSAGE_TOKEN_SIZE];
};

/* ---- requests: client to daemon ---- */

enum request_kind {
    REQUEST_UNKNOWN,
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
    REQUEST_KINDS
};

enum list_what { LIST_SESSIONS, LIST_LEASES, LIST_OWN_LEASES, LIST_QUEUE };

struct hello_request {
    uint32_t protocol_min, protocol_max;
    char name[MESSAGE_NAME_SIZE];
    uint64_t heap_bytes, max_bytes, max_physical_bytes; /* the client's own; LIMIT_DEFAULT, 0 for off, or bytes */
    bool monitor;
    bool resume;
    uint64_t session; /* to resume */
    struct token token;
};

struct acquire_request {
    uint64_t bytes;
    enum location location;
    uint32_t ttl_ms; /* 0: the daemon's default */
    char name[MESSAGE_NAME_SIZE];
    enum huge_pages huge_pages;
    bool has_huge_pages; /* false: it says nothing of them, and its class decides */
    int32_t numa_node;   /* -1: no binding */
    bool interleave;     /* pages alternate between the NUMA nodes */
    bool prefault;
    uint32_t wait_ms;             /* for how long it is willing to wait; 0: not at all */
    bool learned;                 /* `bytes` is what a workspace of this name learned: remember it */
    bool use_learned;             /* ask for the size that is remembered for this name; `bytes` where there is none */
    char file[MESSAGE_NAME_SIZE]; /* empty: a nameless one */
    uint64_t repeats;             /* id of the request that this one repeats; 0: none */
};

struct extend_request {
    uint64_t lease;
    uint64_t bytes;
    bool prefault;
    uint32_t wait_ms;
    uint64_t repeats; /* as above */
};

struct lease_use {
    uint64_t lease;
    uint64_t used_bytes;
};

struct renew_request {
    const struct lease_use *use;
    size_t use_count;
};

struct list_request {
    enum list_what what;
    uint64_t after;
};

struct request {
    uint64_t id; /* 0: no answer wanted */
    enum request_kind kind;
    union {
        struct hello_request hello;
        struct acquire_request acquire;
        struct extend_request extend;
        uint64_t release_lease;
        struct renew_request renew;
        struct list_request list;
        uint64_t revoke_lease;
        uint64_t cancel_request; /* its id */
        uint64_t trimmed_bytes;  /* given back upon a trim event */
        uint64_t why_session;    /* 0: whoever waits or was refused lately */
    };
};

/* ---- answers and events: daemon to client ---- */

enum reply_kind {
    REPLY_UNKNOWN,
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

struct holder {
    uint64_t session;
    char name[MESSAGE_NAME_SIZE];
    int32_t pid;
    uint32_t uid;
    uint64_t bytes;
};

struct refusal {
    enum limit_kind limit_kind;
    char limit[32]; /* its name; empty: the error carries no refusal */
    char whose[MESSAGE_WHOSE_SIZE];
    uint64_t limit_bytes, asked_bytes, used_bytes, free_bytes;
    uint64_t reserved_bytes; /* held back for others' reserves */
    uint64_t claimed_bytes;  /* claimed by requests that wait */
    uint64_t pool_bytes;     /* part of what is used: the warm pool's */
    size_t holder_count;
    struct holder holders[MESSAGE_HOLDERS_MAX];
    size_t ahead_count; /* whose waiting requests claim the most, and for how many bytes */
    struct holder ahead[MESSAGE_HOLDERS_MAX];
};

struct error_reply {
    enum error_code code;
    char sentence[MESSAGE_SENTENCE_SIZE];
    struct refusal refusal;
    uint32_t system_errno;
};

/* The bounds on leases' times. */
struct lease_times {
    uint32_t ttl_min_ms, ttl_max_ms, ttl_default_ms, reconnect_grace_ms;
};

struct welcome_reply {
    uint32_t protocol;
    const char *daemon_version;
    uint64_t session;
    struct token token;
    bool resumed;
    struct lease_times times;
    struct byte_limits host_limits, client_limits;
    uint32_t message_bytes_max;
    uint64_t control_bytes;
    bool leases_survive; /* a restart of the daemon */
};

struct grant_reply {
    uint64_t lease;
    uint64_t segment;
    uint64_t bytes;
    enum location location;
    uint32_t ttl_ms;
    uint32_t slot;
    uint64_t generation;
    bool huge_pages;
    uint32_t extents;
    uint64_t file_bytes;    /* of a named file, exact; 0: it is none */
    enum charged_to charge; /* who pays */
    bool is_present;        /* every page exists: a mapping can be populated at once */
    bool is_remembered;     /* the size is what was remembered for the name */
    bool prefault;          /* the client shall touch every page before it uses the segment */
};

struct lease_end {
    uint64_t lease;
    enum end_reason reason;
};

struct renewed_reply {
    uint32_t leases;
    const struct lease_end *ended;
    size_t ended_count;
};

struct broker_counters {
    uint64_t granted, released, expired, revoked, died, refused, extended;
};

struct status_reply {
    const char *daemon_version;
    int32_t pid;
    uint64_t uptime_ms;
    struct byte_limits limits;
    uint64_t used_bytes, used_physical_bytes, used_mapped_bytes, freeing_bytes;
    uint64_t sessions, leases, segments;
    struct broker_counters counters;
    uint64_t host_total_bytes, host_available_bytes;
    const char *spill_directory;
    uint64_t away_ms;
    uint64_t pooled_bytes; /* part of the used ones: ready for the next to ask */
    uint64_t pool_hits, pool_misses;
    uint64_t waiting;        /* requests */
    uint64_t reserved_bytes; /* guaranteed, and not in use by those it is guaranteed to */
    enum pressure pressure;
    uint64_t remembered;             /* sizes */
    const char *configuration_error; /* why the configuration files are not in force; "": they are */
    const char *warnings;            /* a line each; "": none */
    uint64_t control_bytes;          /* of control pages, which no limit of the above counts */
    uint32_t stuck_jobs;             /* of worker processes; what follows is the oldest one's */
    uint32_t stuck_user;
    uint64_t stuck_segment; /* 0: none */
    uint64_t stuck_bytes, stuck_ms;
    uint64_t cut_off; /* clients, for not reading or not receiving */
};

struct session_entry {
    uint64_t session;
    char name[MESSAGE_NAME_SIZE];
    int32_t pid;
    uint32_t uid, gid;
    bool connected;
    uint64_t leases;
    uint64_t physical_bytes, mapped_bytes;
    struct byte_limits limits;
    char class[32];
    uint32_t priority, weight;
    uint32_t charged_uid; /* the owner of its user namespace, where that is not the daemon's; else its uid */
};

struct lease_entry {
    uint64_t lease, session;
    char name[MESSAGE_NAME_SIZE];
    char client[MESSAGE_NAME_SIZE];
    int32_t pid;
    uint32_t uid;
    uint64_t bytes, used_bytes;
    enum location location;
    uint32_t extents;
    uint32_t ttl_ms;
    uint64_t remaining_ms;
    bool huge_pages;
    int32_t numa_node; /* -1: not bound */
    bool prefaulted;
    enum charged_to charge;
    bool interleaved;
};

/* A request that waits. */
struct queue_entry {
    uint64_t place; /* 1: the next to be served */
    uint64_t session;
    char name[MESSAGE_NAME_SIZE]; /* of the client */
    char class[32];
    int32_t pid;
    uint32_t uid;
    uint64_t request;
    uint64_t bytes;
    enum location location;
    uint32_t priority;
    uint64_t waited_ms, remaining_ms;
    char limit[32]; /* that it waits for */
    char whose[MESSAGE_WHOSE_SIZE];
};

/* Why a request waits or was refused. */
struct why_entry {
    uint64_t session;
    char name[MESSAGE_NAME_SIZE];
    int32_t pid;
    uint32_t uid;
    bool waits;        /* else it was refused */
    bool is_over;      /* the session: the figures are those of its last refusal */
    uint64_t place;    /* in the queue */
    uint64_t since_ms; /* it began to wait, or was refused */
    enum location location;
    bool either; /* it would do in the other location as well: this is the one that could serve it first */
    struct refusal refusal;
    uint64_t earliest_ms; /* until enough could come free; UINT64_MAX: never by itself */
};

struct listing_reply {
    const struct session_entry *sessions;
    size_t session_count;
    const struct lease_entry *leases;
    size_t lease_count;
    const struct queue_entry *queue;
    size_t queue_count;
    bool more;
};

struct audit_reply {
    uint64_t segments;
    uint64_t ledger_physical_bytes, ledger_mapped_bytes;
    uint64_t kernel_physical_bytes, kernel_mapped_bytes;
    uint64_t ledger_control_bytes, kernel_control_bytes;
    uint64_t resident_physical_bytes;
    uint64_t in_flight;
    const char *const *differences;
    size_t difference_count;
};

struct why_reply {
    const struct why_entry *entries;
    size_t count;
};

struct expiring_event {
    uint64_t lease;
    uint64_t remaining_ms;
};

struct limits_event {
    struct byte_limits host_limits;
    struct lease_times times;
};

/* Another control page; comes with its descriptor. */
struct control_page_event {
    uint64_t bytes;
    uint32_t first_slot, slots;
};

struct trim_event {
    uint64_t wanted_bytes;
    enum location location;
    uint32_t deadline_ms; /* until when it helps */
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
        enum pressure pressure;
        struct expiring_event revoking;
        struct control_page_event control_page;
        uint64_t spared_lease;
    };
};
