/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the loop may sleep, and how long: only while nothing is due. One function decides, right before each poll, from
 * every reason there is; so no code has to wake the loop for work that it leaves behind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct server;

/* One slice of a long piece of work: runs once, in the next turn of the loop, and may ask for another turn. */
struct slice {
    void (*run)(struct slice *slice);
    TAILQ_ENTRY(slice) in_schedule;
};

TAILQ_HEAD(slice_queue, slice);

struct schedule {
    uv_idle_t busy;    /* runs while something is due: libuv then polls without sleeping */
    uv_timer_t wakeup; /* when the core has something due next */
    struct slice_queue slices;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_timer_t watchdog; /* tells the service manager that the loop runs */
};

void schedule_open(struct schedule *schedule, uv_loop_t *loop);

/* Asks for another turn for a slice that is not queued. */
void schedule_slice(struct schedule *schedule, struct slice *slice);

/* Runs the slices that were asked for before this turn. */
void schedule_run_slices(struct schedule *schedule);

/* Right before the poll: decides how long it may sleep. Returns the most, in ms. */
int schedule_sleep(struct server *server);
