/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/host_view.h"

#include "daemon/runtime/clock.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"

/* After a large free the host is looked at again, if the last look is older than that. */
#define FREED_REFRESH_NS (20 * NANOSECONDS_PER_MILLISECOND)

void host_view_refresh(struct server *server, uint64_t age_ns)
{
    struct host_view *view = &server->host_view;
    uint64_t now = clock_monotonic();
    if (view->read_at && now - view->read_at < age_ns) {
        return;
    }
    view->read_at = now;
    view->has_freed_much = false;
    if (host_memory_read("", &view->host) == 0) {
        struct input seen = {
            .kind = INPUT_HOST_MEMORY,
            .host = {.available_bytes = size_subtract_floored(view->host.available_bytes, view->filling_bytes),
                     .total_bytes = view->host.total_bytes}};
        executor_feed(server, &seen);
    }
}

void host_view_follow_frees(struct server *server)
{
    if (server->host_view.has_freed_much) {
        host_view_refresh(server, FREED_REFRESH_NS);
    }
}
