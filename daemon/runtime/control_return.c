/* SPDX-License-Identifier: Apache-2.0 */
/* Asking who has a page, some at a time. */
#include "daemon/runtime/control_return.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/runtime/server.h"
#include "proto/base/container.h"

enum { ASKED_AT_ONCE = 64, PAUSE_LEAST_MS = 20, PAUSE_MOST_MS = 2000 };

static void ask(struct server *server, struct control_memory *memory);

/* The descriptor that clients were sent is replaced by one that they were not. False: it could not be. */
static bool take_reopened(struct server *server, struct control_memory *memory, int fd)
{
    if (fd >= server->descriptors.ceiling) {
        (void)close(fd);
        return false;
    }
    if (fd >= 0) {
        control_store_replace(&server->control_store, memory, fd);
    }
    return fd >= 0;
}

static void asked(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct control_memory *memory = container_of(work, struct control_memory, work);
    if (work->job.kind == JOB_REOPEN && take_reopened(server, memory, fd) && !server->is_closing) {
        ask(server, memory);
    } else if (result->is_sole) {
        control_store_free(&server->control_store, memory);
        server->control_return.pause_ms = PAUSE_LEAST_MS; /* others may be let go of at the same time */
    } else {
        control_store_put_back(&server->control_store, memory);
    }
}

static void ask(struct server *server, struct control_memory *memory)
{
    memory->work = (struct work){
        .job.kind = memory->is_own ? JOB_ASK_SOLE : JOB_REOPEN,
        .fd = memory->fd,
        .user = memory->owner->uid,
        .done = asked,
    };
    workers_do(server, &memory->work);
}

static void on_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct control_return *returned = &server->control_return;
    struct control_memory *memory;
    if (server->is_closing) { /* the workers have been stopped */
        return;
    }
    for (int i = 0; i < ASKED_AT_ONCE && (memory = control_store_borrow(&server->control_store)); i++) {
        if (memory->is_counted && !workers_are_held_up(&server->workers, memory->owner->uid, false)) {
            ask(server, memory);
        } else {
            control_store_put_back(&server->control_store, memory);
        }
    }
    returned->pause_ms = returned->pause_ms * 2 < PAUSE_MOST_MS ? returned->pause_ms * 2 : PAUSE_MOST_MS;
    if (server->control_store.kept_count) {
        (void)uv_timer_start(timer, on_timer, returned->pause_ms, 0);
    }
}

void control_return_start(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->control_return.timer);
    server->control_return.timer.data = server;
}

void control_return_soon(struct server *server)
{
    struct control_return *returned = &server->control_return;
    bool is_soon = uv_is_active((const uv_handle_t *)&returned->timer) && returned->pause_ms == PAUSE_LEAST_MS;
    if (server->control_store.kept_count && !server->is_closing && !is_soon) {
        returned->pause_ms = PAUSE_LEAST_MS;
        (void)uv_timer_start(&returned->timer, on_timer, returned->pause_ms, 0);
    }
}
