/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping until there is something to do. */
#include "client/wakeup.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/client.h"
#include "client/error.h"
#include "proto/base/cleanup.h"

void wakeup_init(struct wakeup *wakeup)
{
    wakeup->epoll = wakeup->event = -EBADF;
}

int wakeup_open(struct wakeup *wakeup)
{
    wakeup->epoll = epoll_create1(EPOLL_CLOEXEC);
    wakeup->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wakeup->epoll < 0 || wakeup->event < 0) {
        return error_set(-errno, "a client needs two descriptors: %s", strerrordesc_np(errno));
    }
    int result = wakeup_add_socket(wakeup, wakeup->event);
    return result < 0 ? error_set(result, "the client's descriptors can't be watched: %s", strerrordesc_np(-result))
                      : 0;
}

void wakeup_close(struct wakeup *wakeup)
{
    wakeup->epoll = fd_close(wakeup->epoll);
    wakeup->event = fd_close(wakeup->event);
}

int wakeup_add_socket(struct wakeup *wakeup, int socket)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
    return epoll_ctl(wakeup->epoll, EPOLL_CTL_ADD, socket, &event) < 0 ? -errno : 0;
}

void wakeup_watch_socket(struct wakeup *wakeup, int socket, bool is_watched)
{
    struct epoll_event event = {.events = is_watched ? EPOLLIN : 0, .data.fd = socket};
    if (socket >= 0) {
        (void)epoll_ctl(wakeup->epoll, EPOLL_CTL_MOD, socket, &event);
    }
}

void wakeup_send(const mb_client *client)
{
    uint64_t one = 1;
    if (client->wakeup.event >= 0) {
        (void)!write(client->wakeup.event, &one, sizeof one); /* if it is full, the sleep ends anyway */
    }
}

void wakeup_settle(struct wakeup *wakeup)
{
    uint64_t count;
    (void)!read(wakeup->event, &count, sizeof count);
}

void wakeup_sleep(struct wakeup *wakeup, int timeout_ms)
{
    struct epoll_event events[2];
    (void)epoll_wait(wakeup->epoll, events, 2, timeout_ms);
    wakeup_settle(wakeup);
}
