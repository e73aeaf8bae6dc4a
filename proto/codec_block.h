/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of what blocks and objects have in replies. For the codec of replies, which has the other ones. */
#pragma once

#include "membroker.pb-c.h"
#include "proto/codec_fields.h"
#include "proto/message.h"

CODEC_FIELDS(block, struct block_entry, BlockEntry) = {NUMBER(block, block),
                                                       NUMBER(block, owner),
                                                       TEXT(block, name),
                                                       TEXT(block, type),
                                                       NUMBER(block, bytes),
                                                       NUMBER(block, views),
                                                       NUMBER(block, lifetime),
                                                       NUMBER(block, location),
                                                       NUMBER(block, access),
                                                       NUMBER(block, age_ms),
                                                       NUMBER(block, gid, UNLESS(0)),
                                                       NUMBER(block, keep_ms, UNLESS(UINT64_MAX)),
                                                       NUMBER(block, publisher, UNLESS(0)),
                                                       NUMBER(block, ended, UNLESS(END_NONE))};
CODEC_TABLE(block, block_entry);

CODEC_FIELDS(block_figures, struct block_figures, BlockFigures) = {
    NUMBER(block_figures, blocks),
    NUMBER(block_figures, views),
    NUMBER_AS(block_figures, bytes[LIFETIME_SESSION], session_bytes),
    NUMBER_AS(block_figures, bytes[LIFETIME_KEEP], keep_bytes),
    NUMBER_AS(block_figures, bytes[LIFETIME_CACHE], cache_bytes),
    NUMBER(block_figures, published),
    NUMBER(block_figures, attached),
    NUMBER(block_figures, evicted),
};
CODEC_TABLE(block_figures, block_figures);

CODEC_FIELDS(board, struct board_entry, BoardEntry) = {
    NUMBER(board, board),
    NUMBER(board, owner),
    TEXT_AS(board, class, class_),
    NUMBER(board, objects),
    NUMBER(board, object_bytes),
    NUMBER(board, group_objects, UNLESS(0)),
    NUMBER(board, bytes),
    NUMBER(board, all_objects, UNLESS(0)),
    NUMBER(board, kept_objects, UNLESS(0)),
    NUMBER_AS(board, has_ended, ended, UNLESS(0)),
};
CODEC_TABLE(board, board_entry);

CODEC_FIELDS(object_figures, struct object_figures, ObjectFigures) = {
    NUMBER(object_figures, objects), NUMBER(object_figures, bytes), NUMBER(object_figures, board_bytes),
    NUMBER(object_figures, put),     NUMBER(object_figures, got),   NUMBER(object_figures, refused),
};
CODEC_TABLE(object_figures, object_figures);

CODEC_FIELDS(got, struct got_reply, Got) = {BYTES(got, data, RANGE(MESSAGE_OBJECT_MAX, "the object is too long")),
                                            NUMBER(got, board, UNLESS(0))};
CODEC_TABLE(got, got);

CODEC_FIELDS(board_part, struct board_part_reply, BoardPart) = {NUMBER(board_part, bytes)};
CODEC_TABLE(board_part, board_part);

CODEC_FIELDS(block_change, struct block_change_entry,
             BlockChange) = {NUMBER(block_change, block), TEXT(block_change, name), TEXT(block_change, type),
                             NUMBER(block_change, bytes), NUMBER(block_change, ended, UNLESS(END_NONE))};
CODEC_TABLE(block_change, block_change);

CODEC_FIELDS(block_changes, struct block_changes_reply, BlockChanges) = {
    LIST(block_changes, changes, change_count, block_change),
    NUMBER(block_changes, revision),
    NUMBER(block_changes, more, UNLESS(0)),
    NUMBER(block_changes, lost, UNLESS(0)),
};
CODEC_TABLE(block_changes, block_changes);

CODEC_FIELDS(attached, struct attached_reply,
             Attached) = {NUMBER(attached, lease),
                          NUMBER(attached, block),
                          NUMBER(attached, bytes),
                          NUMBER(attached, ttl_ms),
                          NUMBER(attached, slot),
                          NUMBER(attached, generation),
                          NUMBER(attached, huge_pages),
                          NUMBER(attached, lifetime),
                          NUMBER(attached, location),
                          TEXT(attached, type),
                          BYTES(attached, metadata, RANGE(MESSAGE_METADATA_MAX, "too much metadata"))};
CODEC_TABLE(attached, attached);
