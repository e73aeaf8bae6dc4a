/* SPDX-License-Identifier: Apache-2.0 */
/* Where the broker listens. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#define SOCKET_PATH_SYSTEM "/run/membroker/membroker.sock"

/*
 * The address of `path`. NULL: $MEMBROKER_SOCKET, or $XDG_RUNTIME_DIR/membroker/membroker.sock if it exists, or
 * /run/membroker/membroker.sock. Returns 0, or -EINVAL with the sentence set.
 */
int socket_path_resolve(const char *path, struct sockaddr_un *ret);
