/* SPDX-License-Identifier: Apache-2.0 */
/* Records in a mapped memfd. */
#include "daemon/runtime/table.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/fault.h"
#include "daemon/runtime/fdstore_names.h"
#include "proto/base/cleanup.h"

#define TABLE_MAGIC UINT64_C(0x31454c4241544d) /* "MTABLE1" */

/* Version 1 knew neither groups nor interleaving, version 2 no owner of a session's user namespace, version 3 no
 * segments that can be published. */
enum { TABLE_VERSION = 4, HEADER_BYTES = 4096, FIRST_RECORDS = 256 };

enum record_kind { RECORD_FREE, RECORD_SESSION, RECORD_SEGMENT, RECORD_BLOCK /* a segment that was published */ };

struct table_header {
    uint64_t magic;
    uint32_t version, record_bytes;
    uint64_t last_session, last_lease, last_segment;
    uint64_t restarts; /* 0 in a table from before there was such a number */
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

struct record {
    _Atomic uint32_t kind; /* written last */
    uint32_t reserved;
    union {
        struct session_record session;
        struct segment_record segment;
    };
};

_Static_assert(sizeof(struct record) == 216, "records of every version so far have this size");
_Static_assert(sizeof(struct token) == 16 && MESSAGE_NAME_SIZE == 64 && IDENTITY_GROUPS_MAX == 16,
               "the records have these sizes");

static struct record *record_at(const struct table *table, uint32_t number)
{
    return (struct record *)(void *)((char *)table->header + HEADER_BYTES +
                                     (size_t)number * table->header->record_bytes);
}

uint32_t table_records(const struct table *table)
{
    return table->header ? (uint32_t)((table->mapped - HEADER_BYTES) / table->header->record_bytes) : 0;
}

/* ---- making and opening ---- */

static int map(struct table *table, size_t bytes)
{
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, table->fd, 0);
    if (address == MAP_FAILED) {
        return -errno;
    }
    table->header = address;
    table->mapped = bytes;
    return 0;
}

static int list_free(struct table *table)
{
    uint32_t records = table_records(table);
    uint32_t *list = reallocarray(table->free, records ? records : 1, sizeof *list);
    if (!list) {
        return -ENOMEM;
    }
    table->free = list;
    table->free_count = 0;
    for (uint32_t i = records; i-- > 0;) {
        if (atomic_load(&record_at(table, i)->kind) == RECORD_FREE) {
            list[table->free_count++] = i;
        }
    }
    return 0;
}

int table_create(struct table *table)
{
    size_t bytes = HEADER_BYTES + (size_t)FIRST_RECORDS * sizeof(struct record);
    *table = (struct table){.fd = memfd_create("membroker:table", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    int result = table->fd < 0 ? -errno : 0;
    if (result == 0 && ftruncate(table->fd, (off_t)bytes) < 0) {
        result = -errno;
    }
    if (result == 0) {
        result = map(table, bytes);
    }
    if (result == 0) {
        *table->header = (struct table_header){
            .magic = TABLE_MAGIC, .version = TABLE_VERSION, .record_bytes = sizeof(struct record)};
        result = list_free(table);
    }
    if (result < 0) {
        table_close(table);
    }
    return result;
}

static void update_session(struct session_record *record, uint32_t version)
{
    if (version == 1) {
        record->group_count = 0;
    }
    if (version <= 2) {
        record->charged_uid = record->uid;
    }
}

static void update_segment(struct segment_record *record, uint32_t version)
{
    if (version == 1) {
        record->interleave = 0;
    }
    record->is_publishable = 0;
}

/* What an earlier daemon did not know of is not there, whatever bytes lie in its place. One version's records are as
 * long as the other's so far. */
static void update(struct table *table)
{
    uint32_t version = table->header->version;
    for (uint32_t i = 0; version < TABLE_VERSION && i < table_records(table); i++) {
        struct record *record = record_at(table, i);
        uint32_t kind = atomic_load(&record->kind);
        if (kind == RECORD_SESSION) {
            update_session(&record->session, version);
        } else if (kind == RECORD_SEGMENT) {
            update_segment(&record->segment, version);
        }
    }
    table->header->version = TABLE_VERSION;
}

/* One that is killed while it grows the table leaves a part of a record. */
static bool is_sane(const struct table *table)
{
    const struct table_header *header = table->header;
    return header->magic == TABLE_MAGIC && header->version >= 1 && header->version <= TABLE_VERSION &&
           header->record_bytes >= sizeof(struct record) && header->record_bytes % 8 == 0 &&
           header->record_bytes <= HEADER_BYTES;
}

int table_open(struct table *table, int fd)
{
    struct stat status;
    *table = (struct table){.fd = fd};
    int result = fstat(fd, &status) < 0 ? -errno : 0;
    if (result == 0 && status.st_size < HEADER_BYTES) {
        result = -EPROTO;
    }
    if (result == 0) {
        result = map(table, (size_t)status.st_size);
    }
    if (result == 0) {
        result = is_sane(table) ? list_free(table) : -EPROTO;
    }
    if (result == 0) {
        update(table);
    }
    if (result < 0) {
        table_close(table);
    }
    return result;
}

void table_close(struct table *table)
{
    if (table->header) {
        (void)munmap(table->header, table->mapped);
    }
    (void)fd_close(table->fd);
    free(table->free);
    *table = (struct table){.fd = -EBADF};
}

/* ---- keeping ---- */

static int grow(struct table *table)
{
    uint32_t records = table_records(table); /* a table that was cut may have none, and a part of one behind them */
    size_t more = records ? records : FIRST_RECORDS;
    size_t whole = HEADER_BYTES + (size_t)records * table->header->record_bytes;
    size_t bytes = whole + more * table->header->record_bytes;
    memset((char *)table->header + whole, 0, table->mapped - whole);
    if (ftruncate(table->fd, (off_t)bytes) < 0) {
        return -errno;
    }
    void *address = mremap(table->header, table->mapped, bytes, MREMAP_MAYMOVE);
    if (address == MAP_FAILED) {
        return -errno;
    }
    table->header = address;
    table->mapped = bytes;
    return list_free(table);
}

int table_reserve(struct table *table, uint32_t *ret_record)
{
    if (table->free_count == 0 && grow(table) < 0) {
        return -ENOMEM;
    }
    *ret_record = table->free[--table->free_count];
    return 0;
}

static void validate(struct record *record, enum record_kind kind)
{
    fault_point();
    atomic_store_explicit(&record->kind, kind, memory_order_release);
}

void table_keep_session(struct table *table, uint32_t number, const struct kept_session *session, uint64_t started_at)
{
    struct record *record = record_at(table, number);
    record->session = (struct session_record){
        .id = session->id,
        .started_at = started_at,
        .max_bytes = session->limits.max_bytes,
        .max_physical_bytes = session->limits.max_physical_bytes,
        .max_mapped_bytes = session->limits.max_mapped_bytes,
        .pid = session->identity.pid,
        .uid = session->identity.uid,
        .gid = session->identity.gid,
        .group_count = session->identity.group_count,
        .charged_uid = identity_charged(&session->identity),
    };
    memcpy(record->session.groups, session->identity.groups, sizeof record->session.groups);
    memcpy(record->session.token, session->token.bytes, sizeof record->session.token);
    memcpy(record->session.name, session->name, sizeof record->session.name);
    validate(record, RECORD_SESSION);
}

void table_keep_segment(struct table *table, uint32_t number, const struct kept_segment *segment)
{
    struct record *record = record_at(table, number);
    record->segment = (struct segment_record){
        .id = segment->id,
        .lease = segment->lease,
        .session = segment->session,
        .key = segment->key,
        .bytes = segment->bytes,
        .generation = segment->generation,
        .file_bytes = segment->file_bytes,
        .location = segment->location,
        .huge_pages = segment->options.huge_pages,
        .slot = segment->slot,
        .ttl_ms = segment->ttl_ms,
        .numa_node = segment->options.numa_node,
        .prefault = segment->options.prefault,
        .interleave = segment->options.interleave,
        .has_huge_pages = segment->has_huge_pages,
        .is_publishable = segment->is_publishable,
    };
    memcpy(record->segment.name, segment->name, sizeof record->segment.name);
    memcpy(record->segment.file, segment->file, sizeof record->segment.file);
    validate(record, RECORD_SEGMENT);
}

void table_note_published(struct table *table, uint32_t number)
{
    validate(record_at(table, number), RECORD_BLOCK);
}

void table_keep_numbers(struct table *table, const struct kept_numbers *numbers)
{
    table->header->last_session = numbers->session;
    table->header->last_lease = numbers->lease;
    table->header->last_segment = numbers->segment;
}

void table_forget(struct table *table, uint32_t record)
{
    if (table->header && record != TABLE_NONE) {
        validate(record_at(table, record), RECORD_FREE);
        table->free[table->free_count++] = record;
    }
}

void table_invalidate(struct table *table, uint32_t record)
{
    validate(record_at(table, record), RECORD_FREE);
}

/* ---- reading ---- */

static const struct record *read_kind(const struct table *table, uint32_t number, enum record_kind kind)
{
    const struct record *record = record_at(table, number);
    return atomic_load_explicit(&record->kind, memory_order_acquire) == kind ? record : NULL;
}

bool table_read_session(const struct table *table, uint32_t number, struct kept_session *ret, uint64_t *ret_started_at)
{
    const struct record *record = read_kind(table, number, RECORD_SESSION);
    if (!record) {
        return false;
    }
    const struct session_record *from = &record->session;
    *ret = (struct kept_session){
        .id = from->id,
        .identity = {.pid = from->pid,
                     .uid = from->uid,
                     .gid = from->gid,
                     .has_owner = from->charged_uid != from->uid,
                     .owner = from->charged_uid},
        .limits = {from->max_bytes, from->max_physical_bytes, from->max_mapped_bytes},
    };
    ret->identity.group_count = from->group_count <= IDENTITY_GROUPS_MAX ? from->group_count : 0;
    memcpy(ret->identity.groups, from->groups, sizeof ret->identity.groups);
    memcpy(ret->token.bytes, from->token, sizeof from->token);
    memcpy(ret->name, from->name, sizeof ret->name - 1);
    *ret_started_at = from->started_at;
    return true;
}

static bool read_segment(const struct record *record, struct kept_segment *ret)
{
    if (!record) {
        return false;
    }
    const struct segment_record *from = &record->segment;
    *ret = (struct kept_segment){
        .id = from->id,
        .lease = from->lease,
        .session = from->session,
        .key = from->key,
        .bytes = from->bytes,
        .generation = from->generation,
        .file_bytes = from->file_bytes,
        .location = (enum location)from->location,
        .options = {.huge_pages = (enum huge_pages)from->huge_pages,
                    .numa_node = from->numa_node,
                    .interleave = from->interleave,
                    .prefault = from->prefault},
        .slot = from->slot,
        .ttl_ms = from->ttl_ms,
        .has_huge_pages = from->has_huge_pages,
        .is_publishable = from->is_publishable,
    };
    memcpy(ret->name, from->name, sizeof ret->name - 1);
    memcpy(ret->file, from->file, sizeof ret->file - 1);
    return true;
}

bool table_read_segment(const struct table *table, uint32_t number, struct kept_segment *ret)
{
    return read_segment(read_kind(table, number, RECORD_SEGMENT), ret);
}

bool table_read_published(const struct table *table, uint32_t number, struct kept_segment *ret)
{
    return read_segment(read_kind(table, number, RECORD_BLOCK), ret);
}

struct kept_numbers table_read_numbers(const struct table *table)
{
    return (struct kept_numbers){table->header->last_session, table->header->last_lease, table->header->last_segment};
}

uint64_t table_count_restart(struct table *table)
{
    return ++table->header->restarts;
}
