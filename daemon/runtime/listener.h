/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket. */
#pragma once

#include "daemon/os/service_manager.h"
#include "daemon/runtime/server.h"

/*
 * Binds and listens where the configuration says, and accepts from then on. A stale socket is taken over; one that
 * somebody listens on is not. Returns 0, or negative errno after a log line.
 */
int listener_open(struct server *server, struct handed_descriptors *handed);

/* Stops accepting, and removes the socket's name. Idempotent. */
void listener_close(struct server *server);
