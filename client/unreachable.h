/* SPDX-License-Identifier: Apache-2.0 */
/* Says why connecting to the broker failed, and what to do. */
#pragma once

#include <sys/un.h>

/*
 * Sets the sentence for an error of connect() (negative errno). `setting` is the setting that names another socket.
 * Returns -EACCES if this user may not use the socket, -EMFILE if no descriptor is left, else -ENOTCONN.
 */
int unreachable(const struct sockaddr_un *address, int error, const char *setting);
