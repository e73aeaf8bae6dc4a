/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workspace's record for references. It is never freed, so that a reference can look at it after the workspace was
 * closed. The owner writes it, any thread reads it. Another workspace may reuse it later, under another number.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "client/workspace/spill.h"
#include "membroker.h"
#include "proto/message.h"

/* The kind of a reference's memory: the upper bits of its position. The lower bits: */
enum ref_place {
    REF_ARENA,    /* bytes handed out before it */
    REF_SPILLED,  /* its area's serial number */
    REF_PINNED,   /* the same */
    REF_BYPASSED, /* which of the workspace's buffers */
    REF_EMPTY,    /* no bytes */
    REF_FOREIGN,  /* not the workspace's memory */
};

enum { REF_PLACE_SHIFT = 61 };

static inline uint64_t ref_position(enum ref_place place, uint64_t value)
{
    return (uint64_t)place << REF_PLACE_SHIFT | value;
}

static inline enum ref_place ref_place(const mb_ref *ref)
{
    return (enum ref_place)(ref->position >> REF_PLACE_SHIFT);
}

static inline uint64_t ref_value(const mb_ref *ref)
{
    return ref->position & ((UINT64_C(1) << REF_PLACE_SHIFT) - 1);
}

struct origin {
    _Atomic uint64_t workspace;  /* its number; 0: closed */
    _Atomic uint64_t generation; /* the present one, or the last */
    _Atomic uint64_t position;   /* circular: bytes handed out, turns included */
    _Atomic uint64_t size;       /* circular: of the arena */
    struct spill_ends ends;
    _Atomic bool active;
    bool circular;
    pid_t process; /* of the workspace; a forked child has a copy of the record, but not the memory */
    char name[MESSAGE_NAME_SIZE];
    STAILQ_ENTRY(origin) in_closed;
};

/* A record with a new number; NULL: out of memory. Any thread. */
struct origin *origin_new(const char *name, bool circular, pid_t process);

/* The workspace is closed. Any thread. */
void origin_close(struct origin *origin);
