/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table that a restart goes on from: a memfd of fixed-size records, kept by the service manager. The daemon may be
 * killed between any two instructions: a record is valid from the one store that says so, and is written whole before.
 *
 * The header has a version and the records' size. A later version may append fields to a record and still reads an
 * earlier table; a table of a later version is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/restore.h"

enum { TABLE_NONE = UINT32_MAX };

struct table_header;

struct table {
    int fd;
    struct table_header *header; /* the mapping's begin; NULL: there is no table */
    size_t mapped;
    uint32_t *free; /* records that are not in use, as a stack */
    uint32_t free_count;
};

/* A new, empty table. 0 or negative errno. */
int table_create(struct table *table);

/* Maps a table of before. -EPROTO: it is none, is damaged, or of a later version. Takes the descriptor in every case.
 */
int table_open(struct table *table, int fd);

void table_close(struct table *table);

/* Takes a record, which is not valid yet; it is filled, or given back by table_forget(). 0 or -ENOMEM. */
int table_reserve(struct table *table, uint32_t *ret_record);

/* Fills a record that was reserved; it is valid from then on. */
void table_keep_session(struct table *table, uint32_t number, const struct kept_session *session, uint64_t started_at);
void table_keep_segment(struct table *table, uint32_t number, const struct kept_segment *segment);
void table_keep_numbers(struct table *table, const struct kept_numbers *numbers);
void table_forget(struct table *table, uint32_t number);

/* The record is not valid any more, but not free for another yet: table_forget() makes it so. */
void table_invalidate(struct table *table, uint32_t record);

/* ---- blocks ---- */

/* The segment of this record was published. -ENOMEM: then nothing has changed. */
int table_keep_block(struct table *table, uint32_t number, const struct kept_block *block, uint64_t monotonic);
void table_note_block_ended(struct table *table, uint32_t number, enum end_reason reason);

/* A view of it has no record. */
void table_note_untold(struct table *table, uint32_t number);

/* A view of the block of that record. 0 or -ENOMEM. And its end: the block was used then. */
int table_keep_view(struct table *table, uint32_t block_record, const struct kept_view *view, uint32_t *ret_record);
void table_end_view(struct table *table, uint32_t number);

/* ---- reading, by record number from 0 on; false where the record is not of that kind ---- */
uint32_t table_records(const struct table *table);
bool table_read_session(const struct table *table, uint32_t number, struct kept_session *ret, uint64_t *ret_started_at);
bool table_read_segment(const struct table *table, uint32_t number, struct kept_segment *ret);
bool table_read_published(const struct table *table, uint32_t number, struct kept_segment *ret);

/* What table_read_published() does not say, but for its publisher; the metadata go to `buffer`. False also if what is
 * known of the block is not whole. */
enum { TABLE_BLOCK_BUFFER = MESSAGE_NAME_SIZE + MESSAGE_METADATA_MAX };
bool table_read_block(const struct table *table, uint32_t number, uint64_t monotonic, struct kept_block *ret,
                      char buffer[TABLE_BLOCK_BUFFER]);
uint64_t table_block_used(const struct table *table, uint32_t number);
bool table_read_view(const struct table *table, uint32_t number, struct kept_view *ret);

/* How many records have descriptors: those of sessions, segments and blocks. */
uint32_t table_count_named(const struct table *table);

struct kept_numbers table_read_numbers(const struct table *table);

/* Another daemon goes on with it: counts that, and returns how often it happened. */
uint64_t table_count_restart(struct table *table);
