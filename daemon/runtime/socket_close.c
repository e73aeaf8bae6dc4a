/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/socket_close.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/container.h"

/* A socket that a worker closes. It counts as its user's until it is. */
struct closing {
    struct work work;
    struct user_load *load;
};

static void socket_closed(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct closing *closing = container_of(work, struct closing, work);
    (void)server;
    (void)result;
    (void)fd;
    (void)fd_close(work->fd);
    user_loads_remove(closing->load);
    free(closing);
}

void socket_close(struct server *server, struct user_load *load, int fd, bool may_bring)
{
    struct closing *closing = may_bring && !server->is_closing ? calloc(1, sizeof *closing) : NULL;
    if (!closing) {
        (void)fd_close(fd);
        user_loads_remove(load);
        return;
    }
    (void)shutdown(fd, SHUT_RDWR);
    closing->load = load;
    closing->work.job.kind = JOB_CLOSE;
    closing->work.fd = fd;
    closing->work.user = load->uid;
    closing->work.done = socket_closed;
    workers_do(server, &closing->work);
}
