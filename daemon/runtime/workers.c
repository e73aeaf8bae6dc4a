/* SPDX-License-Identifier: Apache-2.0 */
/* Giving work to worker processes, and noticing what becomes of them. */
#include "daemon/runtime/workers.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/os/channel.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/nursery_watch.h"
#include "daemon/runtime/server.h"
#include "daemon/worker/process.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

enum {
    WORKERS_ACTIVE = 4, /* that work, or are ready to, beside those that are slow */
    WORKERS_MAX = 256,
    BEAT_MS = 25,
    MOMENT_MS = 1,
};
#define SLOW_NS           (50 * NANOSECONDS_PER_MILLISECOND)
#define STUCK_NS          (5 * NANOSECONDS_PER_SECOND)
#define NS_A_BYTE         4 /* the slowest machine frees or fills 256 MB/s: so much time more is no reason to worry */
#define REPLACING_REST_NS (200 * NANOSECONDS_PER_MILLISECOND) /* between forks in place of workers that died */

struct worker {
    struct server *server;
    int channel;
    uv_poll_t poll;
    struct lane *lane;       /* NULL: idle */
    struct work_queue doing; /* in the order in which it is done */
    uint64_t since;          /* monotonic: it has been at the first of them */
    bool is_slow, is_reported;
    int made[JOB_DESCRIPTORS]; /* by the first of them, whose result follows */
    size_t made_count;
    LIST_ENTRY(worker) in_list;
};

/* ---- the life of a worker ---- */

static void on_channel(uv_poll_t *poll, int status, int events);

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Takes a worker that does nothing out; its process ends by itself. */
static void dismiss(struct worker *worker)
{
    worker->server->workers.count--;
    LIST_REMOVE(worker, in_list);
    (void)uv_poll_stop(&worker->poll);
    worker->channel = fd_close(worker->channel);
    uv_close((uv_handle_t *)&worker->poll, on_closed);
}

static int add_worker(struct server *server)
{
    struct workers *workers = &server->workers;
    struct worker *worker = calloc(1, sizeof *worker);
    int result = worker ? process_fork_worker(workers->nursery) : -ENOMEM;
    if (result >= 0) {
        worker->channel = result;
        result = uv_poll_init(&server->loop, &worker->poll, worker->channel);
        if (result < 0) {
            (void)fd_close(worker->channel);
        }
    }
    if (result < 0) {
        free(worker);
        return result;
    }
    worker->server = server;
    worker->poll.data = worker;
    TAILQ_INIT(&worker->doing);
    LIST_INSERT_HEAD(&workers->idle, worker, in_list);
    workers->count++;
    return uv_poll_start(&worker->poll, UV_READABLE, on_channel);
}

static bool wants_worker(const struct workers *workers)
{
    return workers->count - workers->slow < WORKERS_ACTIVE && workers->count < WORKERS_MAX && workers->nursery >= 0;
}

/* After one has died the next is forked after a pause: if it was for want of memory, that is no time to hurry. */
static void replace_workers(struct server *server)
{
    struct workers *workers = &server->workers;
    if (clock_monotonic() - workers->forked_at < REPLACING_REST_NS) {
        return;
    }
    if (workers->nursery < 0) {
        workers->forked_at = clock_monotonic();
        workers->nursery = process_start_nursery(&workers->workshop);
        (void)nursery_watch_begin(server);
    }
    while (wants_worker(workers) && add_worker(server) == 0) {
    }
}

/* ---- giving work ---- */

static void note_busy(struct worker *worker, struct lane *lane)
{
    lane_begin(lane);
    worker->lane = lane;
    worker->since = clock_monotonic();
    LIST_REMOVE(worker, in_list);
    LIST_INSERT_HEAD(&worker->server->workers.busy, worker, in_list);
}

static void note_idle(struct worker *worker)
{
    struct workers *workers = &worker->server->workers;
    lane_end(&workers->lanes, worker->lane, worker->is_slow);
    workers->slow -= worker->is_slow;
    worker->lane = NULL;
    worker->is_slow = worker->is_reported = false;
    LIST_REMOVE(worker, in_list);
    LIST_INSERT_HEAD(&workers->idle, worker, in_list);
    if (workers->count - workers->slow > WORKERS_ACTIVE) {
        dismiss(worker);
    }
}

static int send_work(const struct worker *worker, const struct work_queue *queue)
{
    static struct job jobs[JOBS_PER_PACKET];
    int descriptors[CHANNEL_DESCRIPTORS_MAX];
    size_t count = 0, descriptor_count = 0;
    const struct work *work;
    TAILQ_FOREACH(work, queue, in_queue) {
        jobs[count++] = work->job;
        if (job_takes_descriptor(work->job.kind)) {
            descriptors[descriptor_count++] = work->fd;
        }
    }
    return channel_send(worker->channel, jobs, count * sizeof *jobs, descriptors, descriptor_count, false);
}

static void fail_looks(struct server *server, struct work_queue *queue)
{
    const struct job_result failed = {.error = -EBADF};
    struct work *work = TAILQ_FIRST(queue), *next;
    for (; work; work = next) {
        next = TAILQ_NEXT(work, in_queue);
        if (work->job.kind == JOB_LOOK) {
            TAILQ_REMOVE(queue, work, in_queue);
            work->done(server, work, &failed, -EBADF);
        }
    }
}

/* What the worker is to close last is closed here first; it waits for this word of it. False: it can't be told. */
static bool close_first(const struct worker *worker)
{
    const int no_descriptor = -EBADF;
    struct work *work;
    bool has_closed = false;
    TAILQ_FOREACH(work, &worker->doing, in_queue) {
        if (work->job.kind == JOB_CLOSE) {
            work->fd = descriptor_close(&worker->server->descriptors, work->fd);
            has_closed = true;
        }
    }
    return !has_closed || channel_send(worker->channel, "", 1, &no_descriptor, 0, false) == 0;
}

static void bury(struct worker *worker);

/* False: it can't be given now; the next beat tries again. */
static bool give(struct server *server, struct lane *lane, struct worker *worker)
{
    struct workers *workers = &server->workers;
    struct work_queue queue;
    struct work *work;
    lane_take(&workers->lanes, lane, &queue);
    int result = send_work(worker, &queue);
    if (result < 0) {
        if (result == -EBADF) { /* a segment ended before its look: memory was too short to queue them in order */
            fail_looks(server, &queue);
        }
        lane_put_back(&workers->lanes, lane, &queue);
        return false;
    }
    while ((work = TAILQ_FIRST(&queue))) {
        TAILQ_REMOVE(&queue, work, in_queue);
        TAILQ_INSERT_TAIL(&worker->doing, work, in_queue);
        workers->under_way++;
    }
    bool is_told = close_first(worker);
    note_busy(worker, lane);
    if (!is_told) {
        bury(worker);
    }
    return true;
}

static void on_moment(uv_timer_t *moment)
{
    struct server *server = moment->data;
    server->workers.has_waited = true; /* it is given before the next poll */
}

/* Nobody waits for those bytes, and soon there is more for one packet: each wakes a worker. */
static bool may_wait(const struct server *server)
{
    const struct workers *workers = &server->workers;
    return lanes_can_wait(&workers->lanes) && !workers->has_waited && !broker_is_short(server->broker);
}

static void give_all(struct server *server)
{
    struct workers *workers = &server->workers;
    struct worker *worker;
    struct lane *lane;
    workers->has_waited = false;
    (void)uv_timer_stop(&workers->moment);
    while (workers->lanes.queued && (worker = LIST_FIRST(&workers->idle)) && (lane = lanes_next(&workers->lanes)) &&
           give(server, lane, worker)) {
    }
}

void workers_give(struct server *server)
{
    struct workers *workers = &server->workers;
    if (workers->lanes.queued && !may_wait(server)) {
        give_all(server);
    } else if (workers->lanes.queued && !uv_is_active((const uv_handle_t *)&workers->moment)) {
        (void)uv_timer_start(&workers->moment, on_moment, MOMENT_MS, 0);
    }
    if (!workers->lanes.queued && !workers->under_way && !wants_worker(workers)) {
        (void)uv_timer_stop(&workers->beat);
    }
}

static void on_beat(uv_timer_t *beat);

static void start_beat(struct server *server)
{
    if (!uv_is_active((const uv_handle_t *)&server->workers.beat)) {
        (void)uv_timer_start(&server->workers.beat, on_beat, BEAT_MS, BEAT_MS);
    }
}

void workers_do(struct server *server, struct work *work)
{
    lanes_add(&server->workers.lanes, work);
    start_beat(server);
}

/* ---- results ---- */

static void take_made(struct worker *worker, const int *descriptors, size_t count)
{
    for (size_t i = 0; i < count && worker->made_count < JOB_DESCRIPTORS; i++) {
        descriptor_note(&worker->server->descriptors, descriptors[i], DESCRIPTOR_PASSING);
        worker->made[worker->made_count++] = descriptors[i];
    }
}

static int next_made(struct worker *worker, size_t number)
{
    int fd = number < worker->made_count ? worker->made[number] : -EBADF;
    descriptor_forget(&worker->server->descriptors, fd);
    return fd;
}

static void finish(struct worker *worker, const struct job_result *result)
{
    struct work *work = TAILQ_FIRST(&worker->doing);
    struct job_result received = *result;
    int fd = next_made(worker, 0);
    received.readable = next_made(worker, 1);
    received.writable = next_made(worker, 2);
    worker->made_count = 0;
    TAILQ_REMOVE(&worker->doing, work, in_queue);
    worker->server->workers.under_way--;
    worker->since = clock_monotonic();
    work->is_again = false;
    work->done(worker->server, work, &received, fd);
}

/* The worker's work is done by another one, if it can be, and has failed with this error if not. */
static void give_up(struct worker *worker, int error)
{
    const struct job_result failed = {.error = error};
    struct workers *workers = &worker->server->workers;
    struct work_queue again = TAILQ_HEAD_INITIALIZER(again);
    struct work *work;
    while (worker->made_count) {
        (void)descriptor_close(&worker->server->descriptors, worker->made[--worker->made_count]);
    }
    while ((work = TAILQ_FIRST(&worker->doing))) {
        if (error == -ECANCELED || !job_can_be_repeated(&work->job, work->is_again)) {
            finish(worker, &failed);
            continue;
        }
        work->is_again = true;
        TAILQ_REMOVE(&worker->doing, work, in_queue);
        TAILQ_INSERT_TAIL(&again, work, in_queue);
        workers->under_way--;
    }
    lane_put_back(&workers->lanes, worker->lane, &again);
}

static void bury(struct worker *worker)
{
    struct server *server = worker->server;
    start_beat(server); /* which replaces it */
    if (worker->lane) {
        log_warning("a worker process ended in the middle of its work: another takes its place");
        give_up(worker, -EOWNERDEAD);
        note_idle(worker);
    }
    if (worker->channel >= 0) { /* it was not dismissed as one too many */
        dismiss(worker);
    }
    server->workers.forked_at = clock_monotonic();
}

/* False: it has ended. */
static bool take_results(struct worker *worker)
{
    static struct job_result results[JOBS_PER_PACKET];
    int descriptors[CHANNEL_DESCRIPTORS_MAX];
    size_t descriptor_count;
    ssize_t bytes = channel_receive(worker->channel, results, sizeof results, descriptors, &descriptor_count, false);
    if (bytes <= 0) {
        return bytes == -EAGAIN;
    }
    take_made(worker, descriptors, descriptor_count);
    for (size_t i = 0; i < (size_t)bytes / sizeof *results && !TAILQ_EMPTY(&worker->doing); i++) {
        finish(worker, &results[i]);
    }
    if (TAILQ_EMPTY(&worker->doing)) {
        note_idle(worker);
    }
    return true;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
    struct server *server = worker->server;
    (void)events;
    if (status < 0 || !take_results(worker)) {
        bury(worker);
    }
    server->workers.settle(server);
}

/* ---- what takes long ---- */

static bool is_stuck(const struct worker *worker, uint64_t now)
{
    const struct work *work = TAILQ_FIRST(&worker->doing);
    uint64_t needed = size_multiply_saturated(work->job.bytes, NS_A_BYTE);
    return now - worker->since > size_add_saturated(STUCK_NS, needed);
}

static const char *who_may_hold(const struct lane *lane)
{
    return lane->is_directory
               ? "a user who can list the directory of named files may hold its lock; only named files wait"
               : "a process of that user may hold it locked; only that user waits for it";
}

static void report_stuck(struct worker *worker, uint64_t now)
{
    const struct work *work = TAILQ_FIRST(&worker->doing);
    const struct log_about about = {.event = LOG_EVENT_NONE, .has_uid = true, .uid = work->user};
    worker->is_reported = true;
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_WARNING, &about, "segment %llu of user %u has been %s for %llu s: %s",
                 (unsigned long long)work->job.segment, work->user, job_words(&work->job),
                 (unsigned long long)((now - worker->since) / NANOSECONDS_PER_SECOND), who_may_hold(worker->lane));
    }
}

static void on_beat(uv_timer_t *beat)
{
    struct server *server = beat->data;
    struct workers *workers = &server->workers;
    uint64_t now = clock_monotonic();
    struct worker *worker;
    LIST_FOREACH(worker, &workers->busy, in_list) {
        if (!worker->is_slow && now - worker->since > SLOW_NS) {
            worker->is_slow = true;
            workers->slow++;
            lane_slow(&workers->lanes, worker->lane);
        }
        if (!worker->is_reported && is_stuck(worker, now)) {
            report_stuck(worker, now);
        }
    }
    replace_workers(server);
}

struct stuck_work workers_stuck(const struct workers *workers)
{
    struct stuck_work stuck = {0};
    const struct worker *worker;
    uint64_t now = clock_monotonic();
    LIST_FOREACH(worker, &workers->busy, in_list) {
        if (!is_stuck(worker, now)) {
            continue;
        }
        const struct work *work = TAILQ_FIRST(&worker->doing);
        stuck.count++;
        if (now - worker->since > stuck.for_ns) {
            stuck.for_ns = now - worker->since;
            stuck.user = work->user;
            stuck.segment = work->job.segment;
            stuck.bytes = work->job.bytes;
        }
    }
    return stuck;
}

bool workers_are_idle(const struct workers *workers)
{
    return !workers->lanes.queued && !workers->under_way;
}

bool workers_are_held_up(struct workers *workers, uint32_t user, bool in_directory)
{
    return lanes_is_held_up(&workers->lanes, user, in_directory);
}

/* ---- beginning and end ---- */

int workers_fork(struct workers *workers, const struct workshop *workshop)
{
    lanes_init(&workers->lanes);
    LIST_INIT(&workers->idle);
    LIST_INIT(&workers->busy);
    (void)signal(SIGCHLD, SIG_IGN); /* a nursery that has ended is not waited for: its channel tells */
    workers->workshop = *workshop;
    workers->nursery = process_start_nursery(workshop);
    return workers->nursery < 0 ? workers->nursery : 0;
}

int workers_start(struct server *server)
{
    struct workers *workers = &server->workers;
    int result = nursery_watch_begin(server);
    if (result < 0) {
        return result;
    }
    workers->beat.data = server;
    (void)uv_timer_init(&server->loop, &workers->beat);
    workers->moment.data = server;
    (void)uv_timer_init(&server->loop, &workers->moment);
    while (result == 0 && workers->count < WORKERS_ACTIVE) {
        result = add_worker(server);
    }
    return result;
}

static void cancel(struct server *server, struct work_queue *queue)
{
    const struct job_result cancelled = {.error = -ECANCELED, .readable = -EBADF, .writable = -EBADF};
    struct work *work;
    while ((work = TAILQ_FIRST(queue))) {
        TAILQ_REMOVE(queue, work, in_queue);
        work->done(server, work, &cancelled, -EBADF);
    }
}

void workers_stop(struct server *server)
{
    struct workers *workers = &server->workers;
    struct worker *worker;
    struct work_queue queue;
    while ((worker = LIST_FIRST(&workers->busy))) {
        give_up(worker, -ECANCELED);
        note_idle(worker);
    }
    while (!TAILQ_EMPTY(&workers->lanes.turns)) {
        lane_take(&workers->lanes, TAILQ_FIRST(&workers->lanes.turns), &queue);
        cancel(server, &queue);
    }
    while ((worker = LIST_FIRST(&workers->idle))) {
        dismiss(worker);
    }
    lanes_deinit(&workers->lanes);
    nursery_watch_end(workers);
    (void)uv_timer_stop(&workers->moment);
    (void)uv_timer_stop(&workers->beat); /* which would fork others in their place */
    named_directory_close(&workers->workshop.files);
}
