/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reference finds its workspace by, after the workspace is closed as well: a record that is never unmapped.
 * The owner writes it, any thread reads it; a closed workspace's record serves another one later, under another number.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "proto/message.h"

struct origin {
    _Atomic uint64_t workspace;  /* its number; 0: closed */
    _Atomic uint64_t generation; /* the present one, or the last */
    _Atomic uint64_t position;   /* circular: bytes handed out, turns included */
    _Atomic uint64_t size;       /* circular: of the arena */
    _Atomic bool active;
    bool circular;
    char name[MESSAGE_NAME_SIZE];
    STAILQ_ENTRY(origin) in_closed;
};

/* A record with a number of its own; NULL: out of memory. Any thread. */
struct origin *origin_new(const char *name, bool circular);

/* The workspace is closed. */
void origin_close(struct origin *origin);
