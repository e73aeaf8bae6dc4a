/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/stand_ins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/os/host_memory.h"
#include "daemon/os/memfd.h"
#include "daemon/os/peer_identity.h"
#include "daemon/os/process.h"
#include "daemon/runtime/executor.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/server.h"
#include "daemon/runtime/workers.h"
#include "daemon/worker/backend.h"
#include "proto/base/size.h"
#include "tests/simulation/fate.h"
#include "tests/simulation/virtual_time.h"

int __wrap_peer_identity(int socket, struct identity *ret);
int __wrap_peer_identity_pidfd(int socket, const struct identity *identity);
int __wrap_process_read_control_groups(int32_t pid, int pidfd, char *ret, size_t size);
int __wrap_host_memory_read(const char *root, struct host_memory *ret);
void __wrap_stock_init(struct stock *stock, int ceiling);
int __wrap_memfd_segment(uint64_t bytes, const struct memfd_options *options);
uint64_t __wrap_memfd_huge_page_bytes(void);
int __wrap_workers_fork(struct workers *workers, const struct workshop *workshop);
int __wrap_workers_start(struct server *server);
void __wrap_workers_do(struct server *server, struct work *work);
void __wrap_workers_give(struct server *server);
bool __wrap_workers_are_idle(const struct workers *workers);
bool __wrap_workers_are_held_up(struct workers *workers, uint32_t user);
struct stuck_work __wrap_workers_stuck(const struct workers *workers);
void __wrap_workers_stop(struct server *server);
void __wrap_frozen_look(struct server *server, const struct effect_session *session);
void __wrap_survivors_look(struct server *server);
void __wrap_broker_step(struct broker *broker, const struct input *input, uint64_t now, struct effect_list *effects);
void __real_broker_step(struct broker *broker, const struct input *input, uint64_t now, struct effect_list *effects);

/* ---- processes ---- */

static int32_t next_pid;
static struct stand_in processes[STAND_INS_MAX]; /* by pid */

void stand_in_for(const struct stand_in *process)
{
    next_pid = process->pid;
    processes[next_pid] = *process;
}

int __wrap_peer_identity(int socket, struct identity *ret)
{
    (void)socket;
    uint32_t uid = processes[next_pid].uid;
    *ret = (struct identity){.pid = next_pid, .uid = uid, .gid = uid};
    return 0;
}

int __wrap_peer_identity_pidfd(int socket, const struct identity *identity)
{
    (void)socket;
    return fcntl(processes[identity->pid].death, F_DUPFD_CLOEXEC, 0);
}

int __wrap_process_read_control_groups(int32_t pid, int pidfd, char *ret, size_t size)
{
    (void)pidfd;
    (void)snprintf(ret, size, "0::%s\n", processes[pid].group);
    return 0;
}

/* ---- memory ---- */

/* The core then goes by its limits alone. */
int __wrap_host_memory_read(const char *root, struct host_memory *ret)
{
    (void)root;
    (void)ret;
    return -ENOENT;
}

uint64_t __wrap_memfd_huge_page_bytes(void)
{
    return 0;
}

static uint64_t made_at_once;

static int some_descriptor(void)
{
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* Nothing is made ahead, on a thread that knows nothing of virtual time. */
void __wrap_stock_init(struct stock *stock, int ceiling)
{
    (void)ceiling;
    *stock = (struct stock){0};
}

int __wrap_memfd_segment(uint64_t bytes, const struct memfd_options *options)
{
    (void)bytes;
    (void)options;
    int error = fate_error(FATE_MAKE_AT_ONCE, ++made_at_once);
    return error ? error : some_descriptor();
}

/* ---- workers: each job is done after a while ---- */

static uv_timer_t timer;

struct timed {
    uint64_t due;
    struct work *work; /* NULL: a look at a process */
    uint64_t session;  /* whose process it is */
    const bool *is_frozen;
    TAILQ_ENTRY(timed) next;
};

TAILQ_HEAD(timed_list, timed);
static struct timed_list jobs = TAILQ_HEAD_INITIALIZER(jobs), looks = TAILQ_HEAD_INITIALIZER(looks);

static void finish(struct server *server, struct work *work)
{
    struct job_result result = {
        .view = {.size = work->job.size, .allocated = UINT64_MAX}, .readable = -EBADF, .writable = -EBADF};
    int fd = -EBADF;
    if (work->job.kind == JOB_MAKE) {
        result.error = fate_error(FATE_MAKE, work->job.segment);
        fd = result.error ? -EBADF : some_descriptor();
        if (fd >= 0 && work->job.is_publishable && backend_get((enum backend_kind)work->job.backend)->brings_others) {
            result.readable = some_descriptor();
            result.writable = some_descriptor();
        }
    }
    if (work->job.kind == JOB_SEAL) {
        result.error = fate_error(FATE_SEAL, work->job.segment);
    }
    work->done(server, work, &result, fd);
}

static enum fate_job fate_of(enum job_kind kind)
{
    return kind == JOB_MAKE ? FATE_MAKE : kind == JOB_SEAL ? FATE_SEAL : FATE_FREE;
}

static void arm(void);

/* What it does may queue others, behind. */
static void do_due(struct server *server, struct timed_list *list)
{
    struct timed *job, *next;
    for (job = TAILQ_FIRST(list); job; job = next) {
        next = TAILQ_NEXT(job, next);
        if (job->due <= virtual_time.now) {
            const struct timed done = *job;
            TAILQ_REMOVE(list, job, next);
            free(job);
            if (done.work) {
                finish(server, done.work);
            } else {
                const struct input looked = {
                    .kind = INPUT_LOOKED, .session = done.session, .is_frozen = *done.is_frozen};
                executor_feed(server, &looked);
            }
        }
    }
}

static void on_timer(uv_timer_t *handle)
{
    struct server *server = handle->data;
    do_due(server, &jobs);
    executor_settle(server);
    do_due(server, &looks);
    arm();
}

static uint64_t first_due(const struct timed_list *list)
{
    const struct timed *job;
    uint64_t due = UINT64_MAX;
    TAILQ_FOREACH(job, list, next) {
        due = job->due < due ? job->due : due;
    }
    return due;
}

static void arm(void)
{
    uint64_t due = size_min(first_due(&jobs), first_due(&looks));
    if (due == UINT64_MAX) {
        (void)uv_timer_stop(&timer);
        return;
    }
    uv_update_time(timer.loop);
    uint64_t wait = due > virtual_time.now ? (due - virtual_time.now + MS - 1) / MS : 0;
    (void)uv_timer_start(&timer, on_timer, wait, 0);
}

int __wrap_workers_fork(struct workers *workers, const struct workshop *workshop)
{
    workers->workshop = *workshop;
    workers->nursery = -EBADF;
    made_at_once = 0;
    return 0;
}

int __wrap_workers_start(struct server *server)
{
    timer.data = server;
    return uv_timer_init(&server->loop, &timer);
}

void __wrap_workers_do(struct server *server, struct work *work)
{
    (void)server;
    enum fate_job job = fate_of(work->job.kind);
    struct timed *timed = malloc(sizeof *timed);
    *timed = (struct timed){.due = virtual_time.now + fate_delay_ms(job, work->job.segment) * MS, .work = work};
    TAILQ_INSERT_TAIL(&jobs, timed, next);
    arm();
}

void __wrap_frozen_look(struct server *server, const struct effect_session *session)
{
    const struct peer *peer = session->peer;
    struct timed *look = malloc(sizeof *look);
    (void)server;
    *look = (struct timed){.due = virtual_time.now + fate_delay_ms(FATE_LOOK, session->session) * MS,
                           .session = session->session,
                           .is_frozen = processes[peer->identity.pid].is_frozen};
    TAILQ_INSERT_TAIL(&looks, look, next);
    arm();
}

/* The world knows who is left, and says so. */
void __wrap_survivors_look(struct server *server)
{
    (void)server;
}

/* Time alone does it. */
void __wrap_workers_give(struct server *server)
{
    (void)server;
}

bool __wrap_workers_are_idle(const struct workers *workers)
{
    (void)workers;
    return TAILQ_EMPTY(&jobs);
}

/* So that nothing examines segments, which do not exist here. */
bool __wrap_workers_are_held_up(struct workers *workers, uint32_t user)
{
    (void)workers;
    (void)user;
    return true;
}

struct stuck_work __wrap_workers_stuck(const struct workers *workers)
{
    (void)workers;
    return (struct stuck_work){0};
}

void __wrap_workers_stop(struct server *server)
{
    const struct job_result cancelled = {.error = -ECANCELED};
    struct timed *job;
    while ((job = TAILQ_FIRST(&looks))) {
        TAILQ_REMOVE(&looks, job, next);
        free(job);
    }
    while ((job = TAILQ_FIRST(&jobs))) {
        struct work *work = job->work;
        TAILQ_REMOVE(&jobs, job, next);
        free(job);
        work->done(server, work, &cancelled, -EBADF);
    }
}

/* ---- time that work takes ---- */

uint64_t stand_in_step_cost;
void (*stand_in_before_step)(void);

static void trace(const struct input *input, uint64_t now, size_t effects)
{
    bool is_result = input->kind >= INPUT_SEGMENT_MADE && input->kind <= INPUT_SEGMENT_FREED;
    (void)fprintf(stderr, "%llu.%06llu: input %d of session %llu, segment %llu: %zu effects\n",
                  (unsigned long long)(now / MS), (unsigned long long)(now % MS), (int)input->kind,
                  (unsigned long long)input->session, (unsigned long long)(is_result ? input->segment.segment : 0),
                  effects);
}

void __wrap_broker_step(struct broker *broker, const struct input *input, uint64_t now, struct effect_list *effects)
{
    static uint64_t state = 1;
    if (stand_in_before_step) {
        stand_in_before_step();
    }
    __real_broker_step(broker, input, now, effects);
    if (getenv("MEMBROKER_TRACE")) {
        trace(input, now, effects->count);
    }
    if (stand_in_step_cost) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        virtual_time.now += (state >> 33) % stand_in_step_cost;
    }
}
