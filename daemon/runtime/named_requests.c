/* SPDX-License-Identifier: Apache-2.0 */
/* A list of requests that are being measured. */
#include "daemon/runtime/named_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/runtime/peer.h"
#include "daemon/runtime/server.h"
#include "daemon/runtime/workers.h"
#include "daemon/worker/backend.h"
#include "proto/base/container.h"

struct named_request {
    struct work work;
    struct connection *asker; /* a reference */
    bool is_cancelled;
    struct request request;
    named_request_ready *ready;
    LIST_ENTRY(named_request) in_list;
};

static LIST_HEAD(named_request_list, named_request) measured = LIST_HEAD_INITIALIZER(measured);

static void on_measured(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct named_request *named = container_of(work, struct named_request, work);
    (void)server;
    (void)fd;
    LIST_REMOVE(named, in_list);
    if (connection_is_open(named->asker) && !named->is_cancelled && result->error != -ECANCELED) {
        /* if it can't be told, the open says why */
        named->ready(named->asker, &named->request, result->error < 0 ? 0 : result->file_bytes);
    }
    connection_release(named->asker);
    free(named);
}

int named_request_begin(struct connection *connection, const struct request *request, named_request_ready *ready)
{
    const struct peer *peer = connection_peer(connection);
    if (workers_are_held_up(&peer->server->workers, identity_charged(&peer->identity), true)) {
        return -EBUSY;
    }
    struct named_request *named = calloc(1, sizeof *named);
    if (!named) {
        return -ENOMEM;
    }
    named->asker = connection_hold(connection);
    named->request = *request;
    named->ready = ready;
    named->work.job.kind = JOB_MEASURE;
    named->work.job.backend = BACKEND_NAMED;
    named->work.job.uid = peer->identity.uid;
    named->work.job.gid = peer->identity.gid;
    memcpy(named->work.job.file, request->acquire.file, sizeof named->work.job.file);
    named->work.fd = -EBADF;
    named->work.user = identity_charged(&peer->identity);
    named->work.done = on_measured;
    LIST_INSERT_HEAD(&measured, named, in_list);
    workers_do(peer->server, &named->work);
    return 0;
}

bool named_request_cancel(const struct connection *connection, uint64_t request_id)
{
    struct named_request *named;
    LIST_FOREACH(named, &measured, in_list) {
        if (named->asker == connection && named->request.id == request_id && !named->is_cancelled) {
            named->is_cancelled = true;
            return true;
        }
    }
    return false;
}
