/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket. */
#pragma once

#include <stdbool.h>
#include <sys/un.h>
#include <uv.h>

#include "daemon/os/service_manager.h"

struct config;
struct server;

struct listener {
    int fd; /* -EBADF: closed */
    uv_poll_t poll;
    int spare_fd;       /* closed for an instant when descriptors run out, so that a client can be refused */
    bool was_activated; /* the socket is the service manager's */
    char path[sizeof((struct sockaddr_un *)0)->sun_path + 1]; /* where it listens */
};

void listener_init(struct listener *listener);

/*
 * Binds and listens where the configuration says, and accepts from then on. A stale socket is taken over; one that
 * a process listens on is not. Returns 0, or negative errno after a log line.
 */
int listener_open(struct server *server, struct handed_descriptors *handed);

/* Stops accepting, and removes the socket's name. Idempotent. */
void listener_close(struct listener *listener, const struct config *config);
