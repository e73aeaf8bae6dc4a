/* SPDX-License-Identifier: Apache-2.0 */
/* The process that is connected to a Unix socket, and a descriptor that tells when that process ends. */
#pragma once

#include "daemon/core/identity.h"

/*
 * By SO_PEERCRED; and who is charged where the process is in another user namespace: the owner of that, else who has
 * its user id in subuid(5). Where the kernel could tell and doesn't, all are charged to IDENTITY_UNKNOWN_OWNER. Returns
 * 0 or negative errno.
 */
int peer_identity(int socket, struct identity *ret);

/*
 * A pidfd of the process that connected; readable once the process has ended. By SO_PEERPIDFD, or on kernels
 * before 6.5 by its pid. Returns the descriptor, or negative errno: -ESRCH when it has ended already,
 * -ENOSYS when it can't be watched (another pid namespace).
 */
int peer_identity_pidfd(int socket, const struct identity *identity);
