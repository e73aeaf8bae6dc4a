/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/process_watch.h"

#include <stdlib.h>
#include <unistd.h>

struct process_watch {
    uv_poll_t poll;
    int pidfd;
    void (*ended)(void *argument);
    void *argument;
};

static void on_process_end(uv_poll_t *poll, int status, int events)
{
    const struct process_watch *watch = poll->data;
    (void)status;
    (void)events;
    (void)uv_poll_stop(poll);
    watch->ended(watch->argument);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct process_watch *process_watch_new(uv_loop_t *loop, int pidfd, void (*ended)(void *argument), void *argument)
{
    struct process_watch *watch = calloc(1, sizeof *watch);
    if (!watch || uv_poll_init(loop, &watch->poll, pidfd) < 0) {
        (void)close(pidfd);
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->pidfd = pidfd;
    watch->ended = ended;
    watch->argument = argument;
    if (uv_poll_start(&watch->poll, UV_READABLE, on_process_end) < 0) {
        return process_watch_end(watch);
    }
    return watch;
}

struct process_watch *process_watch_end(struct process_watch *watch)
{
    if (watch) {
        (void)uv_poll_stop(&watch->poll);
        (void)close(watch->pidfd);
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    }
    return NULL;
}
