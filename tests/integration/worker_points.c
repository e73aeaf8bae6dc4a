/* SPDX-License-Identifier: Apache-2.0 */
/* Each point is a file in a directory that the daemon's environment names. */
#include "tests/integration/worker_points.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

static char directory[] = "/tmp/membroker-points-XXXXXX";

void worker_points_begin(void)
{
    cr_assert(mkdtemp(directory) && setenv("MEMBROKER_WORKER_FAULTS", directory, 1) == 0);
}

void worker_points_end(void)
{
    cr_expect(rmdir(directory) == 0, "a point that no worker came to, or a worker that is still held");
}

static const char *path_of(const char *point, const char *what)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s%s", directory, point, what);
    return path;
}

static void make(const char *path)
{
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
}

void worker_kill_at(const char *point)
{
    make(path_of(point, ""));
}

void worker_hold_at(const char *point)
{
    make(path_of(point, "-hold"));
}

bool worker_is_held_at(const char *point)
{
    return access(path_of(point, "-held"), F_OK) == 0;
}

void worker_let_go_from(const char *point)
{
    cr_assert(unlink(path_of(point, "-held")) == 0);
}
