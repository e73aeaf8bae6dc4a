/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations in a file beside the socket, SOCKET.reservations: they outlive the daemon, however it ends, and end with
 * the machine. There is no file if there are no reservations. Brokers in one directory have a file each.
 */
#pragma once

#include <stdbool.h>

struct server;

struct kept_reservations {
    bool is_behind; /* the file could not be written when it was tried last */
};

/* Reads the file, if there is one that was written since the machine started. Before sessions are restored. */
void kept_reservations_load(struct server *server);

/*
 * Writes the file again: a new one replaces it. Immediately: the change is answered afterwards. If that fails, the
 * change is in force, the log says so, and kept_reservations_retry() tries again.
 */
void kept_reservations_save(struct server *server);

/* Each second, and when the daemon ends: writes what could not be written. */
void kept_reservations_retry(struct server *server);
