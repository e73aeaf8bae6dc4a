/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the table, and sessions and segments in it. */
#include "daemon/runtime/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/fault.h"
#include "daemon/runtime/table_records.h"
#include "proto/base/cleanup.h"

/* ---- making and opening ---- */

int table_create(struct table *table)
{
    size_t bytes = HEADER_BYTES + (size_t)FIRST_RECORDS * sizeof(struct record);
    *table = (struct table){.fd = memfd_create("membroker:table", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    int result = table->fd < 0 ? -errno : 0;
    if (result == 0 && ftruncate(table->fd, (off_t)bytes) < 0) {
        result = -errno;
    }
    if (result == 0) {
        result = table_map(table, bytes);
    }
    if (result == 0) {
        *table->header = (struct table_header){
            .magic = TABLE_MAGIC, .version = TABLE_VERSION, .record_bytes = sizeof(struct record)};
        result = table_list_free(table);
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
    if (version <= 3) {
        record->is_publishable = 0;
    }
}

/* Only the segment of a block goes on in other records, which table_check_blocks() looks at. */
static void update_links(struct table *table, uint32_t version)
{
    for (uint32_t i = 0; i < table_records(table); i++) {
        struct record *record = table_record(table, i);
        uint32_t kind = atomic_load(&record->kind);
        if (version < 5 && kind > RECORD_BLOCK) {
            table_validate(record, RECORD_FREE);
        }
        if (version < 5 || (kind != RECORD_BLOCK && kind != RECORD_TERMS && kind != RECORD_TEXT)) {
            record->next = 0;
        }
    }
}

/* What an earlier daemon did not know of is not there, whatever bytes lie in its place. One version's records are as
 * long as the other's so far. */
static void update(struct table *table)
{
    uint32_t version = table->header->version;
    update_links(table, version);
    if (version < 5) {
        table->header->last_block = table->header->uses = 0;
    }
    for (uint32_t i = 0; version < TABLE_VERSION && i < table_records(table); i++) {
        struct record *record = table_record(table, i);
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
        result = table_map(table, (size_t)status.st_size);
    }
    if (result == 0) {
        result = is_sane(table) ? 0 : -EPROTO;
    }
    if (result == 0) {
        update(table);
        result = table_check_blocks(table);
    }
    if (result == 0) {
        result = table_list_free(table);
    }
    if (result < 0) {
        table_close(table);
    }
    return result;
}

/* ---- keeping ---- */

void table_keep_session(struct table *table, uint32_t number, const struct kept_session *session, uint64_t started_at)
{
    struct record *record = table_record(table, number);
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
    table_validate(record, RECORD_SESSION);
}

void table_keep_segment(struct table *table, uint32_t number, const struct kept_segment *segment)
{
    struct record *record = table_record(table, number);
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
    table_validate(record, RECORD_SEGMENT);
}

void table_keep_numbers(struct table *table, const struct kept_numbers *numbers)
{
    table->header->last_session = numbers->session;
    table->header->last_lease = numbers->lease;
    table->header->last_segment = numbers->segment;
    table->header->last_block = numbers->block;
}

/* ---- reading ---- */

bool table_read_session(const struct table *table, uint32_t number, struct kept_session *ret, uint64_t *ret_started_at)
{
    const struct record *record = table_read_kind(table, number, RECORD_SESSION);
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
    return read_segment(table_read_kind(table, number, RECORD_SEGMENT), ret);
}

bool table_read_published(const struct table *table, uint32_t number, struct kept_segment *ret)
{
    return read_segment(table_read_kind(table, number, RECORD_BLOCK), ret);
}

struct kept_numbers table_read_numbers(const struct table *table)
{
    return (struct kept_numbers){table->header->last_session, table->header->last_lease, table->header->last_segment,
                                 table->header->last_block};
}

uint64_t table_count_restart(struct table *table)
{
    return ++table->header->restarts;
}
