/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/state_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *state_path(const char *name)
{
    char *path = NULL;
    const char *service = getenv("STATE_DIRECTORY");
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (service && *service == '/') {
        length = asprintf(&path, "%s/%s", service, name);
    } else if (geteuid() == 0) {
        length = asprintf(&path, "/var/lib/membroker/%s", name);
    } else if (state && *state == '/') {
        length = asprintf(&path, "%s/membroker/%s", state, name);
    } else {
        length = home && *home == '/' ? asprintf(&path, "%s/.local/state/membroker/%s", home, name) : -1;
    }
    return length < 0 ? NULL : path;
}
