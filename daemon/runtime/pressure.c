/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources of memory pressure: the kernel's triggers for "some" and "full", and what the service manager wants watched.
 * A source tells when pressure is there, at most once in its window, and never that it is over: it is taken to last
 * a while after the last word. A source may end; the kernel's are then sought anew.
 */
#include "daemon/runtime/pressure.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/os/pressure.h"
#include "daemon/runtime/log.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

#define LASTS (5 * NANOSECONDS_PER_SECOND) /* two windows and a half */

static const char *const level_names[] = {"none", "some", "full"};

static void judge(struct server *server);

static void on_end(uv_timer_t *timer)
{
    judge(timer->data);
}

/* The highest level that a source told of lately. */
static void judge(struct server *server)
{
    uint64_t now = server_monotonic(), next = UINT64_MAX;
    struct input input = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_NONE};
    for (size_t i = 0; i < PRESSURE_SOURCES; i++) {
        const struct pressure_source *source = &server->pressure[i];
        if (source->until > now) {
            next = size_min(next, source->until);
            input.pressure = source->level > input.pressure ? source->level : input.pressure;
        }
    }
    if (next != UINT64_MAX) {
        (void)uv_timer_start(&server->pressure_end, on_end, (next - now) / NANOSECONDS_PER_MILLISECOND + 1, 0);
    }
    if (input.pressure != server->pressure_level) {
        log_info("memory pressure: %s", level_names[input.pressure]);
        server->pressure_level = input.pressure;
        server_feed(server, &input);
    }
}

static int open_trigger(const struct config *config, enum pressure level)
{
    uint32_t percent = level == PRESSURE_FULL ? config->pressure_full : config->pressure_some;
    return percent ? pressure_open(level, percent) : -ECANCELED;
}

static void on_pressure(uv_poll_t *poll, int status, int events);

static bool start_source(struct server *server, struct pressure_source *source, int fd)
{
    source->fd = fd;
    if (fd < 0 || uv_poll_init(&server->loop, &source->poll, fd) < 0) {
        source->fd = fd_close(fd);
        return false;
    }
    source->poll.data = source;
    return uv_poll_start(&source->poll, source->is_stream ? UV_READABLE : UV_PRIORITIZED, on_pressure) == 0;
}

/* A trigger whose control group is gone is set anew where the broker is now. */
static void on_ended(uv_handle_t *handle)
{
    struct pressure_source *source = handle->data;
    struct server *server = handle->loop->data;
    const char *level = level_names[source->level];
    source->fd = fd_close(source->fd);
    if (server->is_closing || source->is_given) {
        return;
    }
    if (start_source(server, source, open_trigger(server->config, source->level))) {
        log_info("memory pressure (%s): the control group that was watched is gone; watching the one that the broker "
                 "is in now, or the machine",
                 level);
    } else {
        log_warning("memory pressure (%s) is not watched any more: the control group that was watched is gone, and no "
                    "other can be",
                    level);
    }
}

static void on_pressure(uv_poll_t *poll, int status, int events)
{
    struct pressure_source *source = poll->data;
    struct server *server = poll->loop->data;
    int heard = status < 0 ? status : pressure_hear(source->fd, source->is_stream);
    (void)events;
    if (heard < 0) {
        if (source->is_given) {
            log_warning("MEMORY_PRESSURE_WATCH has ended (%s): nothing is heard from there any more",
                        strerrordesc_np(-heard));
        }
        uv_close((uv_handle_t *)poll, on_ended);
    } else if (heard) {
        source->until = server_monotonic() + LASTS;
        judge(server);
    }
}

void pressure_start(struct server *server)
{
    struct pressure_source *source = server->pressure;
    server->loop.data = server;
    (void)uv_timer_init(&server->loop, &server->pressure_end);
    server->pressure_end.data = server;
    source[0].level = source[2].level = PRESSURE_SOME;
    source[1].level = PRESSURE_FULL;
    source[2].is_given = true;
    int given = pressure_open_given(&source[2].is_stream);
    if (given == -ENODEV) {
        log_info("memory pressure is not watched: the service manager switched it off");
        return;
    }
    int some = open_trigger(server->config, PRESSURE_SOME);
    int full = open_trigger(server->config, PRESSURE_FULL);
    bool any = start_source(server, &source[0], some);
    any = start_source(server, &source[1], full) || any;
    any = start_source(server, &source[2], given) || any;
    if (!any && some == -ECANCELED && full == -ECANCELED) {
        log_info("memory pressure is not watched: some and full are 0");
    } else if (!any) {
        log_info("nothing here tells of memory pressure (/proc/pressure/memory: %s): it is not watched",
                 strerrordesc_np(some == -ECANCELED ? -full : -some));
    }
    if (given < 0 && given != -ENODATA) {
        log_warning("MEMORY_PRESSURE_WATCH can't be watched: %s", strerrordesc_np(-given));
    }
}

void pressure_close(struct server *server)
{
    for (size_t i = 0; i < PRESSURE_SOURCES; i++) {
        server->pressure[i].fd = fd_close(server->pressure[i].fd);
    }
}
