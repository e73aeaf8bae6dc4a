/* SPDX-License-Identifier: Apache-2.0 */
/* What several messages have: bounds, enumerations, limits, tokens. See message.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/end_reason.h"
#include "proto/base/limit_kind.h"
#include "proto/base/location.h"

enum {
    PROTOCOL_VERSION = 2,
    PROTOCOL_VERSION_OLDEST = 1, /* that this code speaks as well */
};

/* Bounds on messages. Each list fits a frame, whatever the values in it are. */
enum {
    MESSAGE_BYTES_MAX = 65536,       /* bytes of a frame's payload */
    MESSAGE_USE_MAX = 3000,          /* leases reported in one Renew */
    MESSAGE_ENDED_MAX = 2000,        /* ended leases in one Renewed */
    MESSAGE_SESSIONS_MAX = 100,      /* sessions in one page of a listing */
    MESSAGE_LIST_MAX = 200,          /* leases in one page of a listing */
    MESSAGE_QUEUE_MAX = 200,         /* waiting requests in one page of a listing */
    MESSAGE_WHY_MAX = 24,            /* explanations in one answer */
    MESSAGE_DIFFERENCES_MAX = 100,   /* differences in one audit */
    MESSAGE_HOLDERS_MAX = 3,         /* holders in a refusal, and waiting clients in it */
    MESSAGE_RESERVATIONS_MAX = 64,   /* reservations in one page of a listing */
    MESSAGE_USAGE_MAX = 128,         /* users, groups, classes and reservations in one page of a listing */
    MESSAGE_EVENTS_MAX = 64,         /* events in one page of a listing */
    MESSAGE_BLOCKS_MAX = 128,        /* blocks in one page of a listing */
    MESSAGE_CHANGES_MAX = 64,        /* changes of blocks in one answer */
    MESSAGE_BOARDS_MAX = 128,        /* boards in one page of a listing */
    MESSAGE_METADATA_MAX = 4096,     /* bytes of a block's metadata */
    MESSAGE_OBJECT_MAX = 32768,      /* bytes of an object */
    MESSAGE_SAMPLES_MAX = 256,       /* samples in one page of a listing */
    MESSAGE_PATHS_MAX = 64,          /* control groups of a reservation */
    MESSAGE_PATH_BYTES_MAX = 16384,  /* of all of them, each with 4 bytes for its head */
    MESSAGE_PAGE_PATH_BYTES = 32768, /* a page of a listing ends with the reservation that reaches this */
};

/* Sizes of arrays, each with room for the NUL of a string. */
enum {
    MESSAGE_NAME_SIZE = 64,       /* name of a client, a lease or a file */
    MESSAGE_CLASS_SIZE = 32,      /* name of a class */
    MESSAGE_PATTERN_SIZE = 256,   /* a member of a class, as the configuration has it */
    MESSAGE_LIMIT_SIZE = 32,      /* name of a limit: "max_physical_bytes" */
    MESSAGE_WHOSE_SIZE = 48,      /* whose limit: "host", "client", "class training" */
    MESSAGE_TEXT_SIZE = 128,      /* what the log said of an event */
    MESSAGE_SENTENCE_SIZE = 1024, /* an error in words */
    MESSAGE_TOKEN_SIZE = 16,      /* bytes of a token, which is no string */
};

#define LIMIT_OFF     UINT64_MAX       /* there is no such limit; absent on the wire */
#define LIMIT_DEFAULT (UINT64_MAX - 1) /* the client does not state this limit; absent in a Hello */

/* Upper bounds on the bytes that exist at the same time; LIMIT_OFF: none. */
struct byte_limits {
    uint64_t max_bytes;
    uint64_t max_physical_bytes;
    uint64_t max_mapped_bytes;
};

/* The secret by which a client resumes its session. */
struct token {
    uint8_t bytes[MESSAGE_TOKEN_SIZE];
};

enum huge_pages {
    HUGE_PAGES_NEVER,
    HUGE_PAGES_TRY,    /* ordinary pages if no huge ones are free */
    HUGE_PAGES_ALWAYS, /* or the request fails */
};

/* Why a session has its class: the key of the configuration that has it as a member, or a reservation. */
enum class_rule {
    CLASS_RULE_UNSPECIFIED, /* from an older broker */
    CLASS_RULE_DEFAULT,     /* no key of any class has it */
    CLASS_RULE_SLICES,
    CLASS_RULE_USERS,
    CLASS_RULE_GROUPS,
    CLASS_RULE_CLIENTS,
    CLASS_RULE_RESERVATION, /* no key, but a control group of a reservation */
};

/* Whose account a row of usage is. */
enum usage_kind {
    USAGE_UNSPECIFIED, /* newer than this code */
    USAGE_USER,
    USAGE_GROUP,
    USAGE_CLASS,
    USAGE_RESERVATION,
};

/* What happened; membroker.proto says more. */
enum event_kind {
    EVENT_KIND_UNSPECIFIED, /* newer than this code */
    EVENT_KIND_GRANTED,
    EVENT_KIND_EXTENDED,
    EVENT_KIND_REFUSED,
    EVENT_KIND_ENDED,
    EVENT_KIND_RESERVED,
    EVENT_KIND_ATTACHED,
    EVENT_KIND_SUSPENDED,
    EVENT_KIND_RESUMED,
    EVENT_KIND_UNRESERVED,
    EVENT_KIND_RESERVATION_EXPIRED,
    EVENT_KIND_STARTED,
    EVENT_KIND_RESTARTED,
    EVENT_KIND_HANDED_OVER,
    EVENT_KIND_STOPPED,
    EVENT_KIND_RELOADED,
    EVENT_KIND_BAD_CONFIGURATION,
    EVENT_KIND_AWAY,
    EVENT_KIND_DISCONNECTED,
    EVENT_KIND_PUBLISHED,
    EVENT_KIND_BLOCK_ENDED,
    EVENT_KINDS
};

/* When a block ends that its publisher has let go of. */
enum lifetime {
    LIFETIME_SESSION, /* at once; its owner's views keep the bytes, others' do for a grace time */
    LIFETIME_KEEP,    /* when it is unpublished, or its time is over */
    LIFETIME_CACHE,   /* when memory is short and it has no view */
    LIFETIMES
};

/* Who may attach a block. */
enum block_access {
    BLOCK_ACCESS_USER,  /* its owner */
    BLOCK_ACCESS_GROUP, /* and a group */
    BLOCK_ACCESS_ALL,
};

/* Bytes that nobody but the clients understands; borrowed. */
struct message_bytes {
    const uint8_t *data;
    size_t count;
};

/* Whose control group the pages of a RAM lease are charged to. */
enum charged_to {
    CHARGE_UNSPECIFIED, /* not a RAM lease */
    CHARGE_BROKER,
    CHARGE_CLIENT,
};

/* How short of memory the machine is. */
enum pressure {
    PRESSURE_NONE,
    PRESSURE_SOME, /* some processes wait for memory */
    PRESSURE_FULL, /* no process with work to do makes progress */
};

/* What membroker.proto says about each of them is not repeated here. */
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
    ERROR_STILL_WRITABLE,
    ERROR_NAME_TAKEN,
    ERROR_NO_SUCH_BLOCK,
    ERROR_BLOCK_ENDED,
    ERROR_NO_SUCH_RESERVATION,
    ERROR_CODES
};
