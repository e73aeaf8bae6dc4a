/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources of memory pressure: the kernel's triggers for "some" and "full", and what the service manager wants watched.
 * A source tells that there is pressure, at most once in its window, and never that it is over. So pressure is taken to
 * last for a while after the last message. If a trigger of the kernel ends, another is set.
 */
#include "daemon/runtime/pressure.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/runtime/clock.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

enum { SAMPLING_MS = 1000 };
#define LASTS (5 * NANOSECONDS_PER_SECOND) /* two windows and a half */

static const char *const level_names[] = {"none", "some", "full"};

static void update_level(struct server *server);

static void on_end(uv_timer_t *timer)
{
    update_level(timer->data);
}

/* The highest level that a source told of lately. */
static void update_level(struct server *server)
{
    uint64_t now = clock_monotonic(), next = UINT64_MAX;
    struct input input = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_NONE};
    for (size_t i = 0; i < PRESSURE_SOURCES; i++) {
        const struct pressure_source *source = &server->pressure.sources[i];
        if (source->until > now) {
            next = size_min(next, source->until);
            input.pressure = source->level > input.pressure ? source->level : input.pressure;
        }
    }
    if (next != UINT64_MAX) {
        (void)uv_timer_start(&server->pressure.end, on_end, (next - now) / NANOSECONDS_PER_MILLISECOND + 1, 0);
    }
    if (input.pressure != server->pressure.level) {
        log_info("memory pressure: %s", level_names[input.pressure]);
        server->pressure.level = input.pressure;
        executor_feed(server, &input);
    }
}

static int open_trigger(const struct config *config, struct pressure_source *source)
{
    uint32_t percent = source->level == PRESSURE_FULL ? config->pressure_full : config->pressure_some;
    struct pressure_place place;
    if (!percent) {
        return -ECANCELED;
    }
    source->meter = pressure_meter(source->level, percent);
    int fd = pressure_open(source->level, percent, &place);
    if (fd >= 0 && place.group_error) {
        log_info("memory pressure (%s): watching %s, not the broker's own control group, whose file only its owner may "
                 "set triggers in (%s); systemd 254 and later hand it over",
                 level_names[source->level], place.path, strerrordesc_np(-place.group_error));
    } else if (fd >= 0) {
        log_info("memory pressure (%s): watching %s", level_names[source->level], place.path);
    }
    return fd;
}

static void on_sampling(uv_timer_t *timer)
{
    struct server *server = timer->data;
    for (size_t i = 0; i < PRESSURE_SOURCES; i++) {
        struct pressure_source *source = &server->pressure.sources[i];
        if (source->fd >= 0 && !source->is_stream) {
            pressure_sample(&source->meter, source->fd);
        }
    }
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
    if (!source->is_stream) {
        pressure_sample(&source->meter, fd);
    }
    return uv_poll_start(&source->poll, source->is_stream ? UV_READABLE : UV_PRIORITIZED, on_pressure) == 0;
}

/* If the control group of a trigger is gone, another is set in the group where the broker is now. */
static void on_ended(uv_handle_t *handle)
{
    struct pressure_source *source = handle->data;
    struct server *server = handle->loop->data;
    const char *level = level_names[source->level];
    source->fd = fd_close(source->fd);
    if (server->is_closing || source->is_given) {
        return;
    }
    if (start_source(server, source, open_trigger(server->config, source))) {
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
            log_warning("MEMORY_PRESSURE_WATCH has ended (%s): the broker no longer watches it",
                        strerrordesc_np(-heard));
        }
        uv_close((uv_handle_t *)poll, on_ended);
    } else if (heard && !source->is_stream && !pressure_is_confirmed(&source->meter, source->fd)) {
        log_debug("the kernel reported memory pressure (%s), but the total in the file shows none",
                  level_names[source->level]);
    } else if (heard) {
        source->until = clock_monotonic() + LASTS;
        update_level(server);
    }
}

void pressure_start(struct server *server)
{
    struct pressure_source *source = server->pressure.sources;
    server->loop.data = server;
    (void)uv_timer_init(&server->loop, &server->pressure.end);
    (void)uv_timer_init(&server->loop, &server->pressure.sampling);
    server->pressure.end.data = server->pressure.sampling.data = server;
    source[0].level = source[2].level = PRESSURE_SOME;
    source[1].level = PRESSURE_FULL;
    source[2].is_given = true;
    int given = pressure_open_given(&source[2].is_stream, &source[2].meter);
    if (given == -ENODEV) {
        log_info("memory pressure is not watched: the service manager switched it off");
        return;
    }
    int some = open_trigger(server->config, &source[0]);
    int full = open_trigger(server->config, &source[1]);
    bool any = start_source(server, &source[0], some);
    any = start_source(server, &source[1], full) || any;
    any = start_source(server, &source[2], given) || any;
    if (any) {
        (void)uv_timer_start(&server->pressure.sampling, on_sampling, SAMPLING_MS, SAMPLING_MS);
    }
    if (!any && some == -ECANCELED && full == -ECANCELED) {
        log_info("memory pressure is not watched: some and full are 0");
    } else if (!any) {
        log_info(
            "this kernel does not report memory pressure (/proc/pressure/memory: %s): the broker does not watch it",
            strerrordesc_np(some == -ECANCELED ? -full : -some));
    }
    if (given < 0 && given != -ENODATA) {
        log_warning("MEMORY_PRESSURE_WATCH can't be watched: %s", strerrordesc_np(-given));
    }
}

void pressure_close(struct pressure_watch *watch)
{
    for (size_t i = 0; i < PRESSURE_SOURCES; i++) {
        watch->sources[i].fd = fd_close(watch->sources[i].fd);
    }
}
