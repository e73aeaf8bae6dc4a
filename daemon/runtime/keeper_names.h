/* SPDX-License-Identifier: Apache-2.0 */
/* The names under which descriptors are kept: a letter for the kind, and the number. */
#pragma once

#include <inttypes.h>
#include <stdio.h>

#include "daemon/runtime/segments.h"

enum keeper_kind {
    KEEPER_CONTROL = 'c', /* a session's control page */
    KEEPER_SEGMENT = 's', /* a memfd or a nameless file: truncated when it is nobody's */
    KEEPER_FILE = 'f',    /* a program's own file: only closed */
};

#define KEEPER_TABLE "membroker-table"

enum { KEEPER_NAME_BYTES = 40 };

static inline const char *keeper_name(enum keeper_kind kind, uint64_t id, char *name)
{
    (void)snprintf(name, KEEPER_NAME_BYTES, "membroker-%c%" PRIu64, (char)kind, id);
    return name;
}

static inline enum keeper_kind keeper_kind(const struct segment_file *file)
{
    return file->file[0] ? KEEPER_FILE : KEEPER_SEGMENT;
}
