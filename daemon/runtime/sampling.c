/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/sampling.h"

#include "daemon/runtime/server.h"

/* Of classes and reservations that hold something; beyond, they are left out. */
enum { CLASSES_MOST = 255 };

static void on_interval(uv_timer_t *timer)
{
    static struct sample_entry samples[1 + CLASSES_MOST];
    struct server *server = timer->data;
    history_sample(&server->history, samples, broker_sample(server->broker, samples, 1 + CLASSES_MOST));
}

void sampling_start(struct server *server)
{
    uint32_t interval = server->config->history_interval_ms;
    (void)uv_timer_init(&server->loop, &server->history_timer);
    server->history_timer.data = server;
    if (server->history.ring) {
        (void)uv_timer_start(&server->history_timer, on_interval, 0, interval);
    }
}
