/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping until there is something to do. */
#include "client/wakeup.h"

#include <errno.h>
#include <poll.h>
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

void wakeup_close(struct wakeup *wakeup)
{
    wakeup->epoll = fd_close(wakeup->epoll);
    wakeup->event = fd_close(wakeup->event);
}

static int no_descriptor(void)
{
    return error_set(-errno, "a client that sleeps needs descriptors of its own: %s", strerrordesc_np(errno));
}

int wakeup_open(struct wakeup *wakeup)
{
    if (wakeup->event < 0) {
        wakeup->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    return wakeup->event < 0 ? no_descriptor() : 0;
}

static int add(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int wakeup_descriptor(mb_client *client)
{
    struct wakeup *wakeup = &client->wakeup;
    int result = wakeup->epoll < 0 ? wakeup_open(wakeup) : 0;
    if (result < 0 || wakeup->epoll >= 0) {
        return result < 0 ? result : wakeup->epoll;
    }
    cleanup(fd_closep) int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || add(epoll, wakeup->event) < 0 || add(epoll, client->link.socket) < 0) {
        return no_descriptor();
    }
    return wakeup->epoll = fd_steal(&epoll);
}

int wakeup_add_socket(struct wakeup *wakeup, int socket)
{
    return wakeup->epoll < 0 ? 0 : add(wakeup->epoll, socket);
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
    if (wakeup->event >= 0) {
        (void)!read(wakeup->event, &count, sizeof count);
    }
}

bool wakeup_sleep(struct wakeup *wakeup, int socket, int timeout_ms)
{
    struct pollfd sources[] = {{.fd = wakeup->event, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
    if (poll(sources, 2, timeout_ms) <= 0) {
        return false;
    }
    if (sources[0].revents) {
        wakeup_settle(wakeup);
    }
    return sources[1].revents != 0;
}
