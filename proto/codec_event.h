/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the fields of events and samples, for codec_reply.c alone: they stand behind its limits. */
#pragma once

#include "membroker.pb-c.h"
#include "proto/codec_fields.h"
#include "proto/message_rows.h"

/* A client of before the limits of [sharing] looks up the name of each kind that it gets, without a bound. */
static bool is_of_sharing(const void *event)
{
    return limit_kind_is_of_sharing(((const struct event_entry *)event)->limit_kind);
}

static bool is_of_memory(const void *event)
{
    return ((const struct event_entry *)event)->limit_kind && !is_of_sharing(event);
}

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
    NUMBER(event, limit_kind, IF(is_of_memory)),
    TEXT(event, whose),
    NUMBER(event, limit_bytes, UNLESS(0)),
    NUMBER(event, used_bytes, UNLESS(0)),
    NUMBER(event, by_uid, IF_FLAG(event, has_by)),
    NUMBER(event, by_pid, UNLESS(0)),
    NUMBER(event, by_session, UNLESS(0)),
    TEXT(event, by_name),
    NUMBER(event, by_bytes, UNLESS(0)),
    TEXT(event, text),
    NUMBER_AS(event, limit_kind, sharing_limit_kind, IF(is_of_sharing)),
};

/* A newer broker may have a kind that is not known here. */
static void complete_event(const void *message, void *event)
{
    const event_theirs *theirs = message;
    event_ours *ours = event;
    ours->limit_kind =
        (enum limit_kind)(theirs->has_sharing_limit_kind ? theirs->sharing_limit_kind : theirs->limit_kind);
    ours->limit_kind = ours->limit_kind < LIMIT_KINDS ? ours->limit_kind : LIMIT_KIND_UNSPECIFIED;
}

CODEC_TABLE(event, event_entry, .complete = complete_event);

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
