/* SPDX-License-Identifier: Apache-2.0 */
/* Ending by signals. */
#include "daemon/runtime/shutdown.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "daemon/runtime/clock.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

#define SHUTDOWN_TIME (10 * NANOSECONDS_PER_SECOND)

/* What the ledger holds for leases: how many, and their bytes. */
struct holdings {
    uint64_t leases, bytes;
};

static struct holdings look(const struct server *server)
{
    struct status_reply status = {0};
    broker_fill_status(server->broker, &status);
    return (struct holdings){status.leases, status.used_bytes - status.pooled_bytes};
}

static void begin(struct server *server, enum shutdown_kind how)
{
    service_manager_stopping();
    server->shutdown.how = how;
    server->shutdown.deadline = clock_monotonic() + SHUTDOWN_TIME;
}

/* ---- with every lease ---- */

static void end_leases(struct server *server)
{
    char bytes[SIZE_TEXT_BYTES];
    struct holdings held = look(server);
    const struct log_about about = {.event = LOG_EVENT_ENDED};
    log_line(LOG_LEVEL_INFO, &about, "shutting down: %" PRIu64 " lease%s of %s in all will end", held.leases,
             text_plural(held.leases), size_to_text(held.bytes, bytes));
    begin(server, SHUTDOWN_LEASES);
    listener_close(&server->listener, server->config);
    struct input shutdown = {.kind = INPUT_SHUTDOWN};
    executor_feed(server, &shutdown);
}

/* ---- handing over ---- */

/* Whether the segment would be nobody's: it is lent, or a block, and the service manager has no copy of it. */
static bool is_unkept(const struct segment_view *segment)
{
    const struct segment_file *file = segment->handle;
    return (segment->lease || segment->is_block) && segment->state == SEGMENT_LIVE && file->record == TABLE_NONE;
}

static void revoke_lease(struct server *server, uint64_t lease)
{
    struct request revoke = {.kind = REQUEST_REVOKE};
    struct input input = {.kind = INPUT_REQUEST};
    revoke.revoke_lease = lease;
    input.request = (struct input_request){.identity = {.uid = 0}, .request = &revoke};
    executor_feed(server, &input);
}

static void end_block(struct server *server, uint64_t segment)
{
    struct input input = {.kind = INPUT_BLOCK_UNKEPT, .segment.segment = segment};
    executor_feed(server, &input);
}

/* The leases and blocks that the next daemon could not go on with end now. Returns how many there were. */
static size_t end_unkept(struct server *server)
{
    struct segment_view segment = {0};
    size_t ended = 0;
    while (broker_next_segment(server->broker, segment.id, &segment)) {
        if (is_unkept(&segment)) {
            segment.is_block ? end_block(server, segment.id) : revoke_lease(server, segment.lease);
            ended++;
        }
    }
    return ended;
}

static void finish_hand_over(struct server *server)
{
    char bytes[SIZE_TEXT_BYTES];
    struct holdings held = look(server);
    const struct log_about about = {.event = LOG_EVENT_HANDED_OVER};
    log_line(LOG_LEVEL_INFO, &about, "handing over to the next daemon: %" PRIu64 " lease%s, %s", held.leases,
             text_plural(held.leases), size_to_text(held.bytes, bytes));
    fdstore_freeze(&server->fdstore);
    uv_stop(&server->loop);
}

static void hand_over(struct server *server)
{
    begin(server, SHUTDOWN_HAND_OVER);
    size_t ended = end_unkept(server);
    if (ended == 0) {
        finish_hand_over(server);
    }
    if (ended > 0) {
        log_warning(
            "%zu lease%s or blocks ended: the service manager has no copies of the segments for the next daemon", ended,
            text_plural(ended));
    }
}

/* ---- the loop's end ---- */

static void warn_of_rest(struct server *server)
{
    char bytes[SIZE_TEXT_BYTES];
    log_warning("not every segment could be freed in time: %s may remain until their holders unmap and close them",
                size_to_text(look(server).bytes, bytes));
}

void shutdown_go_on(struct server *server)
{
    if (server->shutdown.how == SHUTDOWN_NOT || server->fdstore.is_frozen) {
        return;
    }
    bool late = clock_monotonic() > server->shutdown.deadline;
    bool hands_over = server->shutdown.how == SHUTDOWN_HAND_OVER;
    bool done = workers_are_idle(&server->workers) &&
                (hands_over ? !broker_has_unkept_blocks(server->broker) : broker_is_empty(server->broker));
    if (!done && !late) {
        return;
    }
    if (!done) {
        warn_of_rest(server);
    }
    if (hands_over) {
        finish_hand_over(server);
    } else {
        uv_stop(&server->loop);
    }
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    if (number == SIGHUP) {
        (void)reload(server);
    } else if (server->shutdown.how == SHUTDOWN_LEASES || server->fdstore.is_frozen) {
        return; /* the first signal decided what becomes of the leases */
    } else if (number == SIGTERM && fdstore_is_active(&server->fdstore)) {
        hand_over(server);
    } else {
        end_leases(server);
    }
}

int shutdown_catch_signals(struct server *server)
{
    static const int numbers[SHUTDOWN_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < SHUTDOWN_SIGNALS; i++) {
        int result = uv_signal_init(&server->loop, &server->shutdown.signals[i]);
        server->shutdown.signals[i].data = server;
        if (result == 0) {
            result = uv_signal_start(&server->shutdown.signals[i], on_signal, numbers[i]);
        }
        if (result < 0) {
            return result;
        }
    }
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
}
