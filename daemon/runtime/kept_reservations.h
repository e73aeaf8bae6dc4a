/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations in a file beside the socket: they outlive the daemon, however it ends, and end with the machine. There
 * is no file if there are no reservations.
 */
#pragma once

struct server;

/* Reads the file, if there is one that was written since the machine started. Before sessions are restored. */
void kept_reservations_load(struct server *server);

/* Writes the file again: a new one replaces it. Immediately: the change is answered afterwards. */
void kept_reservations_save(struct server *server);
