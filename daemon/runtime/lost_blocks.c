/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/lost_blocks.h"

#include "daemon/runtime/server.h"

static void on_timer(uv_timer_t *timer)
{
    lost_blocks_free(timer->data);
}

void lost_blocks_start(struct server *server)
{
    TAILQ_INIT(&server->lost_blocks.files);
    (void)uv_timer_init(&server->loop, &server->lost_blocks.timer);
    server->lost_blocks.timer.data = server;
}

void lost_blocks_add(struct segment_file *file)
{
    struct server *server = file->server;
    TAILQ_INSERT_TAIL(&server->lost_blocks.files, file, in_results);
    (void)uv_timer_start(&server->lost_blocks.timer, on_timer, server->config->broker.times.reconnect_grace_ms, 0);
}

void lost_blocks_free(struct server *server)
{
    struct segment_file *file;
    while ((file = TAILQ_FIRST(&server->lost_blocks.files))) {
        TAILQ_REMOVE(&server->lost_blocks.files, file, in_results);
        segment_free(server, &(struct effect_free){.segment = segment_id(file), .handle = file});
    }
}
