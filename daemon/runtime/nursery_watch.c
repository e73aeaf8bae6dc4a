/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/nursery_watch.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

static void on_nursery_closed(uv_handle_t *handle)
{
    free(handle);
}

void nursery_watch_end(struct workers *workers)
{
    if (workers->nursery_watch) {
        (void)uv_poll_stop(workers->nursery_watch);
        uv_close((uv_handle_t *)workers->nursery_watch, on_nursery_closed);
        workers->nursery_watch = NULL;
    }
    workers->nursery = fd_close(workers->nursery);
}

/* Nothing but its end comes from the nursery. The workers that there are go on. */
static void on_nursery_end(uv_poll_t *poll, int status, int events)
{
    struct server *server = poll->data;
    (void)status;
    (void)events;
    log_warning("the process that forks the workers has ended: another takes its place");
    nursery_watch_end(&server->workers);
}

int nursery_watch_begin(struct server *server)
{
    struct workers *workers = &server->workers;
    uv_poll_t *watch = workers->nursery < 0 ? NULL : calloc(1, sizeof *watch);
    int result = workers->nursery < 0 ? workers->nursery
                 : !watch             ? -ENOMEM
                                      : uv_poll_init(&server->loop, watch, workers->nursery);
    if (result < 0) {
        free(watch);
        nursery_watch_end(workers);
        return result;
    }
    watch->data = server;
    workers->nursery_watch = watch;
    return uv_poll_start(watch, UV_READABLE, on_nursery_end);
}
