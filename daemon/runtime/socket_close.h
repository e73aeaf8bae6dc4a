/* SPDX-License-Identifier: Apache-2.0 */
/* Closing the socket of a connection that has ended. */
#pragma once

#include <stdbool.h>

struct server;
struct user_load;

/*
 * Closes a connection's socket, and then takes it off its user's count. If it `may_bring` descriptors, the last
 * reference to one may be in a packet that nobody reads, and a worker closes it.
 */
void socket_close(struct server *server, struct user_load *load, int fd, bool may_bring);
