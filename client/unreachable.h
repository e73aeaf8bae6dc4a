/* SPDX-License-Identifier: Apache-2.0 */
/* Why the broker's socket could not be connected to, in a sentence that says what to do. */
#pragma once

#include <sys/un.h>

/*
 * Sets the sentence for connect()'s error (negative errno); `setting` is what a person names another socket with.
 * Returns the code that goes with it: -EACCES if this user may not use the socket, -EMFILE if no descriptor is left,
 * else -ENOTCONN.
 */
int unreachable(const struct sockaddr_un *address, int error, const char *setting);
