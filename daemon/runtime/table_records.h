/* SPDX-License-Identifier: Apache-2.0 */
/* What the table's file consists of: for table.c and table_blocks.c. */
#pragma once

#include <stdatomic.h>

#include "daemon/runtime/table.h"

#define TABLE_MAGIC UINT64_C(0x31454c4241544d) /* "MTABLE1" */

/* Version 1 knew neither groups nor interleaving, version 2 no owner of a session's user namespace, version 3 no
 * segments that can be published, version 4 nothing of blocks but that there were some. */
enum { TABLE_VERSION = 5, HEADER_BYTES = 4096, FIRST_RECORDS = 256 };

enum record_kind {
    RECORD_FREE,
    RECORD_SESSION,
    RECORD_SEGMENT,
    RECORD_BLOCK, /* a segment that was published; goes on in its terms, and these in their text */
    RECORD_TERMS,
    RECORD_TEXT,
    RECORD_VIEW,
    RECORD_KINDS
};

struct table_header {
    uint64_t magic;
    uint32_t version, record_bytes;
    uint64_t last_session, last_lease, last_segment;
    uint64_t restarts; /* 0 in a table from before there was such a number */
    uint64_t last_block, uses;
};

/* What a later daemon must still understand: fixed sizes, nothing moved, only appended. */
struct session_record {
    uint64_t id, started_at;
    uint64_t max_bytes, max_physical_bytes, max_mapped_bytes;
    int32_t pid;
    uint32_t uid, gid;
    uint8_t token[16];
    char name[64];
    uint32_t group_count, groups[16];
    uint32_t charged_uid;
};

struct segment_record {
    uint64_t id, lease, session, key, bytes, generation, file_bytes;
    uint32_t location, huge_pages, slot, ttl_ms;
    int32_t numa_node;
    uint8_t prefault, has_huge_pages;
    char name[64], file[64];
    uint8_t interleave;
    uint8_t is_publishable;
};

struct terms_record {
    uint64_t id, published_at /* monotonic */, keep_ns;
    uint64_t used; /* the larger, the later it was used */
    uint32_t owner, user, group, gid;
    _Atomic uint32_t ended; /* enum end_reason */
    uint32_t text_bytes;    /* of its type, with NUL, and its metadata */
    uint8_t lifetime, access;
    uint8_t has_untold; /* a view of it has no record */
    char name[64], class[32];
};

struct view_record {
    uint64_t lease, session, block, generation;
    uint32_t slot, ttl_ms;
    uint32_t block_record;
};

enum { TEXT_BYTES = 208 };

struct record {
    _Atomic uint32_t kind; /* written last */
    uint32_t next;         /* the record that this one goes on in, plus 1; 0: none */
    union {
        struct session_record session;
        struct segment_record segment;
        struct terms_record terms;
        struct view_record view;
        char text[TEXT_BYTES];
    };
};

_Static_assert(sizeof(struct record) == 216, "records of every version so far have this size");
_Static_assert(sizeof(struct token) == 16 && MESSAGE_NAME_SIZE == 64 && IDENTITY_GROUPS_MAX == 16 &&
                   POLICY_NAME_SIZE == 32,
               "the records have these sizes");

static inline struct record *table_record(const struct table *table, uint32_t number)
{
    return (struct record *)(void *)((char *)table->header + HEADER_BYTES +
                                     (size_t)number * table->header->record_bytes);
}

/* Maps so many bytes of the file; and finds out which records are free. 0 or negative errno. */
int table_map(struct table *table, size_t bytes);
int table_list_free(struct table *table);

/* The record, if it is of this kind; else NULL. */
const struct record *table_read_kind(const struct table *table, uint32_t number, enum record_kind kind);

/* It is valid, as what it is, from then on. */
void table_validate(struct record *record, enum record_kind kind);

/* Sees to it that so many records can be reserved. It may move the table. 0 or -ENOMEM. */
int table_make_room(struct table *table, uint32_t records);

/* After a crash, or in a damaged table: what a block goes on in is its own, and whole, or is forgotten. 0 or -ENOMEM.
 */
int table_check_blocks(struct table *table);
