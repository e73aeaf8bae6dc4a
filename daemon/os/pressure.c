/* SPDX-License-Identifier: Apache-2.0 */
/* Triggers on pressure files. */
#include "daemon/os/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/os/host_memory.h"
#include "proto/base/cleanup.h"

/* Two seconds: the least that the kernel allows a process without privileges. */
enum { WINDOW_US = 2000000, PATH_BYTES = 4096, TRIGGER_BYTES = 512 };

static int open_trigger(const char *path, const void *trigger, size_t bytes)
{
    cleanup(fd_closep) int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return -errno;
    }
    if (bytes && write(fd, trigger, bytes) < 0) {
        return -errno;
    }
    return fd_steal(&fd);
}

int pressure_open(enum pressure level, unsigned percent)
{
    char trigger[64], path[PATH_BYTES];
    int length = snprintf(trigger, sizeof trigger, "%s %u %d", level == PRESSURE_FULL ? "full" : "some",
                          WINDOW_US / 100 * percent, WINDOW_US);
    int fd = -ENOENT;
    if (host_memory_group_file("memory.pressure", path, sizeof path)) {
        fd = open_trigger(path, trigger, (size_t)length + 1);
    }
    return fd >= 0 ? fd : open_trigger("/proc/pressure/memory", trigger, (size_t)length + 1);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || strlen(path) >= sizeof address.sun_path) {
        return fd < 0 ? -errno : -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : fd_steal(&fd);
}

int pressure_open_given(bool *ret_is_stream)
{
    const char *path = getenv("MEMORY_PRESSURE_WATCH");
    const char *encoded = getenv("MEMORY_PRESSURE_WRITE");
    unsigned char trigger[TRIGGER_BYTES];
    struct stat status;
    int bytes = 0;
    if (!path || *path != '/') {
        return -ENODATA;
    }
    if (strcmp(path, "/dev/null") == 0) {
        return -ENODEV;
    }
    if (encoded && *encoded && (bytes = b64_pton(encoded, trigger, sizeof trigger)) < 0) {
        return -EINVAL;
    }
    if (stat(path, &status) < 0) {
        return -errno;
    }
    *ret_is_stream = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
    if (!S_ISSOCK(status.st_mode)) {
        return open_trigger(path, trigger, (size_t)bytes);
    }
    int fd = connect_to(path);
    if (fd >= 0 && bytes && send(fd, trigger, (size_t)bytes, MSG_NOSIGNAL) < 0) {
        bytes = -errno;
        (void)fd_close(fd);
        fd = bytes;
    }
    return fd;
}

static int hear_stream(int fd)
{
    char told[256];
    ssize_t got = read(fd, told, sizeof told);
    if (got > 0) {
        return 1;
    }
    if (got == 0) {
        return -EPIPE;
    }
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* A group that was removed while nobody was in it any more takes its triggers along: they tell of that as an error. */
static int hear_trigger(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLPRI};
    return poll(&look, 1, 0) > 0 && (look.revents & (POLLERR | POLLNVAL)) ? -ENODEV : 1;
}

int pressure_hear(int fd, bool is_stream)
{
    return is_stream ? hear_stream(fd) : hear_trigger(fd);
}
