/* SPDX-License-Identifier: Apache-2.0 */
/* What the core counts for metrics, since the daemon started: bounded, whatever clients do. */
#pragma once

#include "proto/base/histogram.h"
#include "proto/base/limit_kind.h"

struct figures {
    uint64_t refused[LIMIT_KINDS]; /* by the limit that was exceeded */
    uint64_t tampered;             /* leases whose segments were changed */
    struct histogram acquire;      /* from a request to its grant */
    struct histogram wait;         /* of requests that waited, until they were granted or refused */
    struct histogram freeing;      /* from a segment's end until the kernel has its bytes */
};
