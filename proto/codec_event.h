/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the fields of events and samples, for codec_reply.c alone: they stand behind its limits. */
#pragma once

#include "membroker.pb-c.h"
#include "proto/codec_fields.h"
#include "proto/message_rows.h"

CODEC_FIELDS(event, struct event_entry, EventEntry) = {
    NUMBER(event, event),
    NUMBER(event, kind),
    NUMBER(event, at_unix_ms),
    NUMBER(event, last_unix_ms),
    NUMBER(event, count),
    NUMBER(event, bytes, UNLESS(0)),
    NUMBER(event, uid, IF_FLAG(event, has_uid)),
    NUMBER(event, pid, UNLESS(0)),
    NUMBER(event, session, UNLESS(0)),
    NUMBER(event, lease, UNLESS(0)),
    TEXT(event, client),
    TEXT_AS(event, class, class_),
    TEXT(event, name),
    NUMBER(event, location, UNLESS(0)),
    NUMBER(event, reason, UNLESS(0)),
    NUMBER(event, code, UNLESS(0)),
    NUMBER(event, limit_kind, UNLESS(0)),
    TEXT(event, whose),
    NUMBER(event, limit_bytes, UNLESS(0)),
    NUMBER(event, used_bytes, UNLESS(0)),
    NUMBER(event, by_uid, IF_FLAG(event, has_by)),
    NUMBER(event, by_pid, UNLESS(0)),
    NUMBER(event, by_session, UNLESS(0)),
    TEXT(event, by_name),
    NUMBER(event, by_bytes, UNLESS(0)),
    TEXT(event, text),
};
CODEC_TABLE(event, event_entry);

CODEC_FIELDS(sample, struct sample_entry, SampleEntry) = {
    NUMBER(sample, sample),
    NUMBER(sample, at_unix_ms),
    TEXT_AS(sample, class, class_),
    NUMBER(sample, physical_bytes),
    NUMBER(sample, mapped_bytes),
    MESSAGE(sample, limits, limits),
    NUMBER_AS(sample, is_reservation, reservation),
};
CODEC_TABLE(sample, sample_entry);
