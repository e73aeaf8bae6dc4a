/* SPDX-License-Identifier: Apache-2.0 */
/* The nursery and the workers: what they do between fork and exit. */
#include "daemon/worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "daemon/os/channel.h"
#include "proto/base/cleanup.h"

#ifdef MEMBROKER_COVERAGE
#include <gcov.h>
#endif

#define REPORT_AFTER_NS 500000 /* what was done is reported before a long packet is finished */

/* What the kernel refuses for want of memory it may grant a moment later. */
static ssize_t receive(int channel, void *packet, size_t bytes, int *descriptors, size_t *count)
{
    enum { TRIES = 100, PAUSE_US = 1000 };
    ssize_t result = channel_receive(channel, packet, bytes, descriptors, count, true);
    for (int i = 0; i < TRIES && (result == -EAGAIN || result == -ENOMEM || result == -ENOBUFS); i++) {
        (void)usleep(PAUSE_US);
        result = channel_receive(channel, packet, bytes, descriptors, count, true);
    }
    return result;
}

/* ---- a worker ---- */

struct worker {
    int channel;
    const struct workshop *workshop;
    struct job_result results[JOBS_PER_PACKET]; /* not reported yet */
    size_t count;
    uint64_t reported_at;
};

static uint64_t monotonic(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Without the destructors of libraries: libuv's would wait for threads that a forked process does not have. */
static _Noreturn void leave(int status)
{
#ifdef MEMBROKER_COVERAGE
    __gcov_dump();
#endif
    _exit(status);
}

/* Without its daemon a worker is of no use. */
static void send_or_exit(const struct worker *worker, const void *packet, size_t bytes, const int *fds, size_t count)
{
    if (channel_send(worker->channel, packet, bytes, fds, count, true) < 0) {
        leave(EXIT_FAILURE);
    }
}

/* They come before the result, and are closed here before that is sent: then nobody but the daemon has them. */
static void hand_over(const struct worker *worker, int made, const struct job_result *result)
{
    const int fds[JOB_DESCRIPTORS] = {made, result->readable, result->writable};
    size_t count = result->readable >= 0 ? JOB_DESCRIPTORS : 1;
    send_or_exit(worker, "", 1, fds, count);
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
}

static void report(struct worker *worker)
{
    if (worker->count) {
        send_or_exit(worker, worker->results, worker->count * sizeof *worker->results, NULL, 0);
    }
    worker->count = 0;
    worker->reported_at = monotonic();
}

static void work(struct worker *worker, const struct job *job, int fd)
{
    struct job_result result;
    int made = perform_job(worker->workshop, job, fd, &result);
    if (made >= 0) {
        report(worker);
        hand_over(worker, made, &result);
    }
    worker->results[worker->count++] = result;
    if (made >= 0 || monotonic() - worker->reported_at > REPORT_AFTER_NS) {
        report(worker);
    }
}

/* The last reference is to end here: the daemon says when it has closed what it wants closed. */
static void wait_for_daemon(const struct worker *worker, const struct job *jobs, size_t count)
{
    bool closes = false;
    int none[CHANNEL_DESCRIPTORS_MAX];
    size_t none_count;
    char word;
    for (size_t i = 0; i < count && !closes; i++) {
        closes = jobs[i].kind == JOB_CLOSE;
    }
    if (closes && channel_receive(worker->channel, &word, sizeof word, none, &none_count, true) <= 0) {
        leave(EXIT_FAILURE);
    }
}

static void work_through(struct worker *worker, const struct job *jobs, size_t count, const int *fds, size_t fd_count)
{
    size_t used = 0;
    wait_for_daemon(worker, jobs, count);
    worker->reported_at = monotonic();
    for (size_t i = 0; i < count; i++) {
        bool takes = job_takes_descriptor(jobs[i].kind);
        if (takes && used == fd_count) {
            leave(EXIT_FAILURE);
        }
        work(worker, &jobs[i], takes ? fds[used++] : -EBADF);
    }
    report(worker);
}

/* If memory is short, the kernel is to kill a worker before the daemon: no lease depends on it. */
static void become_a_likelier_victim(void)
{
    cleanup(fd_closep) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "0", 1);
    }
}

static void run_worker(int channel, const struct workshop *workshop)
{
    static struct worker worker;
    static struct job jobs[JOBS_PER_PACKET];
    int fds[CHANNEL_DESCRIPTORS_MAX];
    size_t fd_count;
    ssize_t bytes;
    (void)prctl(PR_SET_NAME, "membroker-work");
    become_a_likelier_victim();
    worker.channel = channel;
    worker.workshop = workshop;
    while ((bytes = receive(channel, jobs, sizeof jobs, fds, &fd_count)) > 0) {
        work_through(&worker, jobs, (size_t)bytes / sizeof *jobs, fds, fd_count);
    }
    leave(bytes == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ---- the nursery ---- */

static void run_nursery(int nursery, const struct workshop *workshop)
{
    int channel[CHANNEL_DESCRIPTORS_MAX];
    size_t count;
    char word;
    while (receive(nursery, &word, sizeof word, channel, &count) > 0) {
        pid_t child = count == 1 ? fork() : -1;
        if (child == 0) {
            (void)close(nursery);
            run_worker(channel[0], workshop);
        }
        while (count) { /* if no worker has it, the daemon's end tells so */
            (void)close(channel[--count]);
        }
    }
    leave(EXIT_SUCCESS);
}

/* The daemon ends its workers by closing their channels: they are needed until then, whatever signal the group gets. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGIO /* who breaks our lease of a control page */,
                                  SIGCHLD /* children are not waited for */};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
}

static void close_between(int first, int end)
{
    if (first < end) {
        (void)close_range((unsigned)first, (unsigned)end - 1, 0);
    }
}

/* Closes all but these two (the second may be none) and the standard descriptors. */
static void keep_only(int a, int b)
{
    int first = STDERR_FILENO + 1, low = b < 0 ? a : a < b ? a : b, high = a < b ? b : a;
    close_between(first, low);
    close_between(low + 1, high);
    (void)close_range((unsigned)high + 1, ~0U, 0);
}

int process_start_nursery(const struct workshop *workshop)
{
    int ends[2];
    int result = channel_open(ends);
    if (result < 0) {
        return result;
    }
    (void)fflush(NULL); /* what is buffered must not be written twice */
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_NAME, "membroker-nurse");
        ignore_signals();
        keep_only(ends[1], workshop->files.fd);
        run_nursery(ends[1], workshop);
    }
    result = -errno;
    (void)close(ends[1]);
    if (child < 0) {
        (void)close(ends[0]);
        return result;
    }
    return ends[0];
}

int process_fork_worker(int nursery)
{
    int ends[2];
    int result = channel_open(ends);
    if (result < 0) {
        return result;
    }
    result = channel_send(nursery, "", 1, &ends[1], 1, false);
    (void)close(ends[1]);
    if (result < 0) {
        (void)close(ends[0]);
        return result;
    }
    return ends[0];
}
