/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks and views in the table. The record of a segment becomes that of a block in one store, when all that it goes on
 * in is written: a block is there as a whole or not at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/os/fault.h"
#include "daemon/runtime/table_records.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* ---- keeping ---- */

static uint32_t records_for(uint32_t text_bytes)
{
    return 1 + (text_bytes + TEXT_BYTES - 1) / TEXT_BYTES;
}

/* Takes the next record, of which there are enough, and has the one before go on in it. */
static struct record *append(struct table *table, uint32_t before, uint32_t *ret_number)
{
    (void)table_reserve(table, ret_number);
    table_record(table, before)->next = *ret_number + 1;
    return table_record(table, *ret_number);
}

static void fill_terms(struct record *record, const struct kept_block *block, uint32_t text_bytes, uint64_t monotonic)
{
    record->terms = (struct terms_record){
        .id = block->id,
        .published_at = size_subtract_floored(monotonic, block->age_ns),
        .keep_ns = block->keep_ns,
        .owner = block->owner,
        .user = block->user,
        .group = block->group,
        .gid = block->gid,
        .ended = block->ended,
        .text_bytes = text_bytes,
        .lifetime = (uint8_t)block->lifetime,
        .access = (uint8_t)block->access,
    };
    memcpy(record->terms.name, block->name, sizeof record->terms.name);
    memcpy(record->terms.class, block->class, sizeof record->terms.class);
}

static void stamp(struct table *table, struct record *terms)
{
    terms->terms.used = ++table->header->uses;
}

int table_keep_block(struct table *table, uint32_t number, const struct kept_block *block, uint64_t monotonic)
{
    char text[TABLE_BLOCK_BUFFER];
    uint32_t type_bytes = (uint32_t)strlen(block->type) + 1, at = number;
    uint32_t text_bytes = type_bytes + (uint32_t)block->metadata.count;
    if (table_make_room(table, records_for(text_bytes)) < 0) {
        return -ENOMEM;
    }
    memcpy(text, block->type, type_bytes);
    if (block->metadata.count) {
        memcpy(text + type_bytes, block->metadata.data, block->metadata.count);
    }
    struct record *record = append(table, number, &at);
    fill_terms(record, block, text_bytes, monotonic);
    stamp(table, record);
    table_validate(record, RECORD_TERMS);
    for (uint32_t done = 0; done < text_bytes; done += TEXT_BYTES) {
        record = append(table, at, &at);
        memcpy(record->text, text + done, size_min(TEXT_BYTES, text_bytes - done));
        table_validate(record, RECORD_TEXT);
    }
    table_validate(table_record(table, number), RECORD_BLOCK);
    return 0;
}

/* NULL: nothing is known of it. */
static struct record *terms_of(const struct table *table, uint32_t number)
{
    const struct record *record = number < table_records(table) ? table_read_kind(table, number, RECORD_BLOCK) : NULL;
    return record && record->next ? table_record(table, record->next - 1) : NULL;
}

void table_note_block_ended(struct table *table, uint32_t number, enum end_reason reason)
{
    struct record *terms = terms_of(table, number);
    if (terms) {
        fault_point();
        terms->terms.ended = reason;
    }
}

void table_note_untold(struct table *table, uint32_t number)
{
    struct record *terms = terms_of(table, number);
    if (terms) {
        terms->terms.has_untold = 1;
    }
}

int table_keep_view(struct table *table, uint32_t block_record, const struct kept_view *view, uint32_t *ret_record)
{
    int result = table_reserve(table, ret_record);
    if (result < 0) {
        return result;
    }
    struct record *record = table_record(table, *ret_record);
    record->view = (struct view_record){.lease = view->lease,
                                        .session = view->session,
                                        .block = view->block,
                                        .generation = view->generation,
                                        .slot = view->slot,
                                        .ttl_ms = view->ttl_ms,
                                        .block_record = block_record};
    table_validate(record, RECORD_VIEW);
    return 0;
}

void table_end_view(struct table *table, uint32_t number)
{
    const struct view_record *view = &table_record(table, number)->view;
    struct record *terms = terms_of(table, view->block_record);
    if (terms && terms->terms.id == view->block) {
        stamp(table, terms);
    }
    table_forget(table, number);
}

/* ---- reading ---- */

uint64_t table_block_used(const struct table *table, uint32_t number)
{
    const struct record *terms = terms_of(table, number);
    return terms ? terms->terms.used : 0;
}

static void read_terms(const struct terms_record *from, uint64_t monotonic, struct kept_block *ret)
{
    ret->id = from->id;
    ret->owner = from->owner;
    ret->user = from->user;
    ret->group = from->group;
    ret->gid = from->gid;
    ret->lifetime = (enum lifetime)from->lifetime;
    ret->access = (enum block_access)from->access;
    ret->age_ns = size_subtract_floored(monotonic, from->published_at);
    ret->keep_ns = from->keep_ns;
    ret->ended = (enum end_reason)from->ended;
    ret->has_untold = from->has_untold;
    memcpy(ret->name, from->name, sizeof ret->name - 1);
    memcpy(ret->class, from->class, sizeof ret->class - 1);
}

/* Chains were checked when the table was opened. */
static void read_text(const struct table *table, uint32_t next, uint32_t bytes, char *buffer)
{
    for (uint32_t done = 0; done < bytes; done += TEXT_BYTES) {
        const struct record *record = table_record(table, next - 1);
        memcpy(buffer + done, record->text, size_min(TEXT_BYTES, bytes - done));
        next = record->next;
    }
}

bool table_read_block(const struct table *table, uint32_t number, uint64_t monotonic, struct kept_block *ret,
                      char buffer[TABLE_BLOCK_BUFFER])
{
    const struct record *terms = terms_of(table, number);
    if (!terms) {
        return false;
    }
    uint32_t bytes = terms->terms.text_bytes;
    *ret = (struct kept_block){.segment = ret->segment};
    read_terms(&terms->terms, monotonic, ret);
    read_text(table, terms->next, bytes, buffer);
    uint32_t type_bytes = (uint32_t)strnlen(buffer, bytes) + 1;
    if (type_bytes > bytes || type_bytes > sizeof ret->type) {
        return false;
    }
    text_copy(ret->type, sizeof ret->type, buffer);
    ret->metadata = (struct message_bytes){(const uint8_t *)buffer + type_bytes, bytes - type_bytes};
    return true;
}

bool table_read_view(const struct table *table, uint32_t number, struct kept_view *ret)
{
    const struct record *record = table_read_kind(table, number, RECORD_VIEW);
    if (record) {
        const struct view_record *from = &record->view;
        *ret = (struct kept_view){.lease = from->lease,
                                  .session = from->session,
                                  .block = from->block,
                                  .slot = from->slot,
                                  .generation = from->generation,
                                  .ttl_ms = from->ttl_ms};
    }
    return record;
}

/* ---- after a crash ---- */

static bool is_own(const struct table *table, uint32_t next, enum record_kind kind, const bool *taken)
{
    return next && next <= table_records(table) && !taken[next - 1] && table_read_kind(table, next - 1, kind);
}

/* Marks what the block goes on in; false: it is not whole, or another's. */
static bool take_chain(struct table *table, const struct record *block, bool *taken)
{
    uint32_t next = block->next;
    if (!is_own(table, next, RECORD_TERMS, taken)) {
        return false;
    }
    struct record *record = table_record(table, next - 1);
    uint32_t bytes = record->terms.text_bytes;
    if (bytes > TABLE_BLOCK_BUFFER) {
        return false;
    }
    taken[next - 1] = true;
    for (uint32_t done = 0; done < bytes; done += TEXT_BYTES) {
        next = record->next;
        if (!is_own(table, next, RECORD_TEXT, taken)) {
            return false;
        }
        taken[next - 1] = true;
        record = table_record(table, next - 1);
    }
    record->next = 0;
    return true;
}

static void forget_unowned(struct table *table, const bool *taken)
{
    for (uint32_t i = 0; i < table_records(table); i++) {
        struct record *record = table_record(table, i);
        uint32_t kind = atomic_load(&record->kind);
        if (kind >= RECORD_KINDS || (!taken[i] && (kind == RECORD_TERMS || kind == RECORD_TEXT))) {
            record->next = 0;
            table_validate(record, RECORD_FREE);
        }
    }
}

int table_check_blocks(struct table *table)
{
    uint32_t records = table_records(table);
    bool *taken = calloc(records ? records : 1, sizeof *taken);
    if (!taken) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < records; i++) {
        struct record *record = table_record(table, i);
        if (atomic_load(&record->kind) == RECORD_BLOCK && !take_chain(table, record, taken)) {
            record->next = 0;
        }
    }
    forget_unowned(table, taken);
    free(taken);
    return 0;
}

uint32_t table_count_named(const struct table *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table_records(table); i++) {
        uint32_t kind = atomic_load(&table_record(table, i)->kind);
        count += kind == RECORD_SESSION || kind == RECORD_SEGMENT || kind == RECORD_BLOCK;
    }
    return count;
}
