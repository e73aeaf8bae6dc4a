/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shell counts for metrics, since the daemon started. The core counts for itself (daemon/core/figures.h).
 */
#pragma once

#include <stdint.h>

#include "proto/base/histogram.h"

struct connection;
struct request;

/* A turn of the loop that takes longer is a stall. */
#define LOOP_STALL UINT64_C(100000000) /* ns */

struct runtime_figures {
    uint64_t started_unix_ms;
    uint64_t restarts; /* how often a daemon has continued with the leases of the one before */
    uint64_t audits, audit_differences;
    uint64_t messages; /* received */
    uint64_t loop_stalls;
    uint64_t turn_began;    /* monotonic; 0: none has */
    struct histogram turns; /* from the end of a poll to the next one */
};

void figures_init(struct runtime_figures *figures);

/* The poll ended; the next one begins. */
void figures_begin_turn(struct runtime_figures *figures, uint64_t monotonic);
void figures_end_turn(struct runtime_figures *figures, uint64_t monotonic);

/* Answers a request for metrics. */
void figures_serve(struct connection *connection, const struct request *request);
