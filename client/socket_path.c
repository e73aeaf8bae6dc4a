/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the broker's socket. */
#include "client/socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/error.h"

static int take(const char *path, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof ret->sun_path) {
        return error_set(-EINVAL, "the socket's path must have 1 to %zu bytes: \"%s\"", sizeof ret->sun_path - 1, path);
    }
    memcpy(ret->sun_path, path, strlen(path) + 1);
    return 0;
}

int socket_path_resolve(const char *path, struct sockaddr_un *ret)
{
    char in_runtime_directory[sizeof ret->sun_path];
    const char *environment = secure_getenv("MEMBROKER_SOCKET");
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    if (path) {
        return take(path, ret);
    }
    if (environment && *environment) {
        return take(environment, ret);
    }
    if (runtime && *runtime) {
        int length =
            snprintf(in_runtime_directory, sizeof in_runtime_directory, "%s/membroker/membroker.sock", runtime);
        if (length < (int)sizeof in_runtime_directory && access(in_runtime_directory, F_OK) == 0) {
            return take(in_runtime_directory, ret);
        }
    }
    return take(SOCKET_PATH_SYSTEM, ret);
}
