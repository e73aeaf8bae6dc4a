/* SPDX-License-Identifier: Apache-2.0 */
/* Room for every descriptor. */
#include "daemon/runtime/poll_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "proto/base/cleanup.h"

/* Whether there is so much memory: libuv does not ask. libuv rounds up to a power of two. */
static bool is_to_be_had(int ceiling)
{
    void *room = malloc(2 * sizeof(void *) * ((size_t)ceiling + 2));
    free(room);
    return room != NULL;
}

/* An event that never comes, under the highest number that there is. */
static int highest_descriptor(int ceiling)
{
    cleanup(fd_closep) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int fd = event < 0 ? -1 : fcntl(event, F_DUPFD_CLOEXEC, ceiling - 1);
    return fd < 0 ? -errno : fd;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
}

int poll_table_reserve(uv_loop_t *loop, int ceiling)
{
    static uv_poll_t poll; /* closed for good at the loop's next turn */
    cleanup(fd_closep) int fd = highest_descriptor(ceiling);
    if (fd < 0 || !is_to_be_had(ceiling)) {
        return fd < 0 ? fd : -ENOMEM;
    }
    int result = uv_poll_init(loop, &poll, fd);
    if (result < 0) {
        return result;
    }
    result = uv_poll_start(&poll, UV_READABLE, on_event);
    (void)uv_poll_stop(&poll);
    uv_close((uv_handle_t *)&poll, NULL);
    return result;
}
