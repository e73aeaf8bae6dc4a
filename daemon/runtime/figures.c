/* SPDX-License-Identifier: Apache-2.0 */
/* Counting costs an addition each; only the answer to a request for metrics puts the figures together. */
#include "daemon/runtime/figures.h"

#include <errno.h>
#include <time.h>

#include "daemon/runtime/clock.h"
#include "daemon/runtime/probes.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"

void figures_init(struct runtime_figures *figures)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    figures->started_unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NANOSECONDS_PER_MILLISECOND;
}

void figures_begin_turn(struct runtime_figures *figures, uint64_t monotonic)
{
    figures->turn_began = monotonic;
}

void figures_end_turn(struct runtime_figures *figures, uint64_t monotonic)
{
    if (figures->turn_began) {
        uint64_t took = monotonic - figures->turn_began;
        histogram_note(&figures->turns, took);
        if (took > LOOP_STALL) {
            figures->loop_stalls++;
            PROBE2(loop__stall, took, figures->loop_stalls);
        }
    }
}

enum { LIMITS = LIMIT_KINDS };

static struct durations durations_of(const struct histogram *histogram, struct duration_count rows[HISTOGRAM_BUCKETS])
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        rows[i].upto_ns = i < HISTOGRAM_BUCKETS - 1 ? histogram_bounds[i] : UINT64_MAX;
        rows[i].count = histogram->counts[i];
    }
    return (struct durations){.buckets = rows, .bucket_count = HISTOGRAM_BUCKETS, .sum_ns = histogram->sum_ns};
}

static size_t refusals_of(const struct figures *figures, struct limit_count rows[LIMITS])
{
    for (enum limit_kind kind = LIMIT_KIND_UNSPECIFIED; kind < LIMIT_KINDS; kind++) {
        rows[kind] = (struct limit_count){kind, figures->refused[kind]};
    }
    return LIMITS;
}

void figures_serve(struct connection *connection, const struct request *request)
{
    static struct duration_count acquire[HISTOGRAM_BUCKETS], wait[HISTOGRAM_BUCKETS], freeing[HISTOGRAM_BUCKETS],
        turns[HISTOGRAM_BUCKETS];
    static struct limit_count refusals[LIMITS];
    const struct server *server = connection_server(connection);
    const struct runtime_figures *own = &server->figures;
    const struct figures *core = broker_figures(server->broker);
    struct reply reply = {.kind = REPLY_METRICS};
    reply.metrics = (struct metrics_reply){
        .started_unix_ms = own->started_unix_ms,
        .restarts = own->restarts,
        .audits = own->audits,
        .audit_differences = own->audit_differences,
        .messages = own->messages,
        .loop_stalls = own->loop_stalls,
        .descriptors = server->descriptors.used + server->clients.connection_count,
        .descriptors_max = (uint64_t)server->descriptors.ceiling,
        .tampered = core->tampered,
        .refusals = refusals,
        .refusal_count = refusals_of(core, refusals),
        .acquire = durations_of(&core->acquire, acquire),
        .wait = durations_of(&core->wait, wait),
        .freeing = durations_of(&core->freeing, freeing),
        .turn = durations_of(&own->turns, turns),
    };
    broker_fill_waiting(server->broker, clock_now(server), &reply.metrics.waiting_bytes,
                        &reply.metrics.waiting_oldest_ms);
    reply_answer(connection, request, &reply, -EBADF);
}
