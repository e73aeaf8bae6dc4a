/* SPDX-License-Identifier: Apache-2.0 */
/* What a client sleeps on: an epoll descriptor of its socket and of an eventfd. */
#pragma once

#include <stdbool.h>

#include "membroker.h"

struct wakeup {
    int epoll; /* what mb_client_fd() gives */
    int event;
};

void wakeup_init(struct wakeup *wakeup);

/* Returns 0, or negative errno with the sentence set. */
int wakeup_open(struct wakeup *wakeup);
void wakeup_close(struct wakeup *wakeup);

/* Adds a connected socket. Returns 0 or negative errno. */
int wakeup_add_socket(struct wakeup *wakeup, int socket);

/* Whether data on the socket ends a sleep. */
void wakeup_watch_socket(struct wakeup *wakeup, int socket, bool is_watched);

/* Ends the sleep of the background thread, or of the program that polls. */
void wakeup_send(const mb_client *client);

/* Forgets what was sent. Call it before you look what there is to do. */
void wakeup_settle(struct wakeup *wakeup);

/* Sleeps until there is data, a wakeup_send(), or `timeout_ms` is over; -1: no timeout. */
void wakeup_sleep(struct wakeup *wakeup, int timeout_ms);
