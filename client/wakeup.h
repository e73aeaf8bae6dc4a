/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client sleeps on: its socket, and an eventfd that ends a sleep. Both descriptors here are made for the first
 * sleep: most sessions never sleep. The client's lock is held, except in wakeup_sleep().
 */
#pragma once

#include <stdbool.h>

#include "membroker.h"

struct wakeup {
    int event;
    int epoll; /* of the eventfd and the socket: what mb_client_fd() gives */
};

void wakeup_init(struct wakeup *wakeup);
void wakeup_close(struct wakeup *wakeup);

/* Makes the eventfd, unless it is there. Returns 0, or negative errno with the sentence set. */
int wakeup_open(struct wakeup *wakeup);

/* The epoll descriptor, made at the first call; or negative errno with the sentence set. */
int wakeup_descriptor(mb_client *client);

/* A new connection's socket. Returns 0 or negative errno. */
int wakeup_add_socket(struct wakeup *wakeup, int socket);

/* Ends the sleep of the background thread, or of the program that polls. */
void wakeup_send(const mb_client *client);

/* Forgets what was sent. Call it before you look what there is to do. */
void wakeup_settle(struct wakeup *wakeup);

/*
 * Sleeps until there is data on the socket (-EBADF: none is looked at), a wakeup_send(), or `timeout_ms` is over; -1:
 * no timeout. Returns whether there is data.
 */
bool wakeup_sleep(struct wakeup *wakeup, int socket, int timeout_ms);
