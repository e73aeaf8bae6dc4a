/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: its beginning and end, and what each of its turns does. */
#include "daemon/runtime/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "daemon/os/descriptor_limit.h"
#include "daemon/os/memfd.h"
#include "daemon/runtime/audit.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/descriptor_jobs.h"
#include "daemon/runtime/poll_table.h"
#include "daemon/runtime/reaper.h"
#include "daemon/runtime/receive.h"
#include "daemon/runtime/restore.h"
#include "daemon/runtime/sampling.h"
#include "daemon/runtime/unread_socket.h"
#include "proto/base/size.h"

enum { PEERS_READ_AT_ONCE = 64 };
#define EXPIRY_TIME        (2 * NANOSECONDS_PER_MILLISECOND)   /* in one turn of the loop */
#define WAITING_REFRESH_NS (200 * NANOSECONDS_PER_MILLISECOND) /* while a request waits for memory */

/* ---- expiry ---- */

/* Reads every connection whose leases are about to be checked. A client that has hung up is checked as such. */
static void read_before_expiry(struct server *server, uint64_t now)
{
    void *peers[PEERS_READ_AT_ONCE];
    size_t count = broker_peers_to_read(server->broker, now, peers, PEERS_READ_AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = peers[i];
        bool already = false;
        for (size_t j = 0; j < i && !already; j++) {
            already = peers[j] == peer;
        }
        if (!already) {
            struct input was_read = {.kind = INPUT_READ, .session = peer->session};
            receive_from_peer(peer);
            executor_feed(server, &was_read);
        }
    }
    reaper_run(server);
}

static void expire_due(struct server *server)
{
    uint64_t began = clock_monotonic();
    while (broker_next_wakeup(server->broker) <= clock_now(server)) {
        struct input tick = {.kind = INPUT_TICK};
        if (broker_is_short(server->broker)) {
            host_view_refresh(server, WAITING_REFRESH_NS);
        }
        server->clock.held_at = clock_now(server);
        read_before_expiry(server, server->clock.held_at);
        executor_feed(server, &tick);
        server->clock.held_at = 0;
        if (clock_monotonic() - began > EXPIRY_TIME) {
            break; /* the next turn goes on: the loop does not sleep before */
        }
    }
}

static void before_poll(uv_prepare_t *handle)
{
    struct server *server = handle->data;
    workers_give(server);
    stock_work(server);
    reaper_run(server); /* what has ended since, in timers and by expiry, goes before the poll may sleep */
    int longest = schedule_sleep(server);
    uint64_t now = clock_monotonic();
    figures_end_turn(&server->figures, now);
    service_clock_sleep(&server->clock, now, longest);
}

static void notice_lateness(struct server *server)
{
    uint64_t late = service_clock_wake(&server->clock, clock_monotonic());
    if (late > NANOSECONDS_PER_SECOND) {
        const struct log_about about = {.event = LOG_EVENT_AWAY};
        log_line(LOG_LEVEL_WARNING, &about, "the daemon was away for %llu ms: every deadline moves by that much",
                 (unsigned long long)(late / NANOSECONDS_PER_MILLISECOND));
    }
}

static void after_poll(uv_check_t *handle)
{
    struct server *server = handle->data;
    notice_lateness(server);
    figures_begin_turn(&server->figures, clock_monotonic());
    receive_in_turns(server);
    schedule_run_slices(&server->schedule);
    reaper_run(server);
    notice_lateness(server); /* if it was stopped while it served, it must know before it expires anything */
    host_view_follow_frees(server);
    expire_due(server);
    user_loads_forget(&server->scheduler.loads);
    shutdown_go_on(server);
}

/* ---- life ---- */

static int start_handles(struct server *server)
{
    int result = uv_prepare_init(&server->loop, &server->schedule.before_poll);
    if (result < 0 || (result = uv_check_init(&server->loop, &server->schedule.after_poll)) < 0) {
        return result;
    }
    server->schedule.before_poll.data = server->schedule.after_poll.data = server;
    schedule_open(&server->schedule, &server->loop);
    outboxes_open(server);
    (void)uv_prepare_start(&server->schedule.before_poll, before_poll);
    (void)uv_check_start(&server->schedule.after_poll, after_poll);
    stock_start(server);
    segments_start(server);
    integrity_scan_start(server);
    control_return_start(server);
    boards_start(server);
    pressure_start(server);
    return shutdown_catch_signals(server);
}

static int open_broker(struct server *server)
{
    struct broker_options options = {
        .settings = config_broker_settings(server->config),
        .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
        .huge_page_bytes = memfd_huge_page_bytes(),
        .daemon_uid = getuid(),
        .first_revision = clock_monotonic(), /* of an earlier daemon's clients, all are smaller */
    };
    server->broker = broker_new(&options);
    return buffers_init(&server->buffers) && server->broker ? 0 : -ENOMEM;
}

/* Takes over what a daemon before left, and listens. */
static int begin_service(struct server *server)
{
    struct handed_descriptors handed;
    int result = service_manager_take(&handed);
    if (result < 0) {
        log_error("can't take over the descriptors from the service manager: %s", strerrordesc_np(-result));
    } else {
        history_open(&server->history, server->config->history_bytes, &handed);
        log_listen(history_logged, &server->history);
    }
    if (result == 0) {
        result = restore_open(server, &handed);
    }
    if (result == 0) {
        host_view_refresh(server, 0); /* not before: the pool's first segments would have the numbers of kept ones */
        sampling_start(server);
        result = listener_open(server, &handed);
    }
    service_manager_close(&handed);
    return result;
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

static void on_threads_started(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

/* libuv starts its threads with the first job, and ends the process if it can't. So the first job is one of our own,
 * before any client can cause one. */
static int start_threads(struct server *server)
{
    static uv_work_t first_job;
    return uv_queue_work(&server->loop, &first_job, do_nothing, on_threads_started);
}

static void explain_start(int error)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (error == -EMFILE) {
        log_error(
            "can't start: the limit of %llu open files (LimitNOFILE, `ulimit -n`) is too low for what the service "
            "manager handed over; raise it",
            (unsigned long long)limit.rlim_cur);
    } else {
        log_error("can't start: %s", strerrordesc_np(-error));
    }
}

static int server_open(struct server *server)
{
    int result = server->descriptors.of ? open_broker(server) : -ENOMEM;
    if (result == 0) {
        result = poll_table_reserve(&server->loop, server->descriptors.ceiling);
    }
    if (result == 0) {
        result = start_handles(server);
    }
    if (result == 0) {
        server->workers.settle = executor_settle;
        server->frozen.feed = executor_feed;
        result = workers_start(server);
    }
    if (result == 0) {
        result = start_threads(server);
    }
    if (result < 0) {
        explain_start(result);
        return result;
    }
    remembered_load(server);
    kept_reservations_load(server);
    reload_check_reservations(server);
    descriptors_tidy(server);
    return begin_service(server);
}

/* The workers are forked before anything else is opened: they are to inherit nothing. */
static int begin(struct server *server, const struct config *config)
{
    struct workshop workshop = {.spill = {config->spill_directory, clock_monotonic()},
                                .files = {.fd = -EBADF},
                                .files_path = config->files_directory};
    int result = config->files_directory ? named_directory_open(&workshop.files, config->files_directory) : 0;
    result = result < 0 ? result : workers_fork(&server->workers, &workshop);
    return result < 0 ? result : uv_loop_init(&server->loop);
}

struct server *server_new(struct config *config, const char *config_file, const char *socket_option)
{
    struct server *server = calloc(1, sizeof *server);
    int result = server ? begin(server, config) : -ENOMEM;
    if (result < 0) {
        explain_start(result);
        free(server);
        config_free(config);
        return NULL;
    }
    server->config = config;
    server->reload.config_file = config_file;
    server->reload.socket_option = socket_option;
    server->clock.started_at = clock_monotonic();
    figures_init(&server->figures);
    (void)descriptor_uses_init(&server->descriptors, descriptor_limit_raise()); /* checked by server_open() */
    fdstore_init(&server->fdstore);
    listener_init(&server->listener);
    segments_init(&server->segments);
    stock_init(&server->stock, server->descriptors.ceiling);
    clients_init(&server->clients);
    scheduler_init(&server->scheduler);
    boards_init(&server->boards);
    control_store_init(&server->control_store, server->descriptors.ceiling, &server->descriptors);
    if (server_open(server) < 0) {
        fdstore_freeze(&server->fdstore); /* what was kept is still there for the next to start */
        return server_free(server);
    }
    return server;
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    service_manager_alive();
}

/* Answered by the loop: one that is stuck does not. */
static void start_watchdog(struct server *server)
{
    uint64_t interval = service_manager_watchdog_ms() / 3;
    (void)uv_timer_init(&server->loop, &server->schedule.watchdog);
    if (interval > 0) {
        (void)uv_timer_start(&server->schedule.watchdog, on_watchdog, interval, interval);
    }
}

int server_run(struct server *server)
{
    reload_say_ready(&server->reload);
    start_watchdog(server);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    remembered_save_now(server);
    kept_reservations_retry(server);
    log_info("stopped");
    return EXIT_SUCCESS;
}

static void close_handle(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* The core is not told: what it has is the next daemon's, or ends with it. */
static void end_connections_and_peers(struct server *server)
{
    struct peer *peer;
    server->is_closing = true;
    connections_close_all(server);
    LIST_FOREACH(peer, &server->clients.peers, in_server) {
        peer_retire(peer);
    }
    do {
        reaper_run(server);
        schedule_run_slices(&server->schedule);
        (void)uv_run(&server->loop, UV_RUN_NOWAIT); /* their close callbacks, and an audit's end */
    } while (!LIST_EMPTY(&server->clients.peers) || audit_is_running());
    unread_sockets_close(server);
    user_loads_maintain(&server->scheduler.loads);
    user_loads_forget(&server->scheduler.loads);
}

struct server *server_free(struct server *server)
{
    if (!server) {
        return NULL;
    }
    server->is_closing = true;
    workers_stop(server);
    executor_settle(server); /* what the workers were making, and won't */
    (void)uv_prepare_stop(&server->schedule.before_poll);
    (void)uv_check_stop(&server->schedule.after_poll);
    listener_close(&server->listener, server->config);
    end_connections_and_peers(server);
    uv_walk(&server->loop, close_handle, NULL);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&server->loop);
    boards_close(server);
    control_store_deinit(&server->control_store);
    server->broker = broker_free(server->broker);
    fdstore_close(&server->fdstore);
    log_listen(NULL, NULL);
    history_close(&server->history);
    pressure_close(&server->pressure);
    config_free(server->config);
    reload_close(&server->reload);
    segments_close(&server->segments);
    stock_deinit(server);
    frozen_close(&server->frozen);
    descriptor_uses_deinit(&server->descriptors);
    buffers_deinit(&server->buffers);
    free(server);
    return NULL;
}
