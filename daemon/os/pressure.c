/* SPDX-License-Identifier: Apache-2.0 */
/* Triggers on pressure files. */
#include "daemon/os/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
enum { WINDOW_US = 2000000, TRIGGER_BYTES = 512 };

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

static const char *word(enum pressure level)
{
    return level == PRESSURE_FULL ? "full" : "some";
}

int pressure_open(enum pressure level, unsigned percent, struct pressure_place *ret)
{
    static const char machine[] = "/proc/pressure/memory";
    char trigger[64];
    int length = snprintf(trigger, sizeof trigger, "%s %u %d", word(level), WINDOW_US / 100 * percent, WINDOW_US);
    ret->group_error = 0;
    if (host_memory_group_file("memory.pressure", ret->path, sizeof ret->path)) {
        int fd = open_trigger(ret->path, trigger, (size_t)length + 1);
        if (fd >= 0) {
            return fd;
        }
        ret->group_error = fd == -ENOENT ? 0 : fd;
    }
    memcpy(ret->path, machine, sizeof machine);
    return open_trigger(machine, trigger, (size_t)length + 1);
}

/* ---- totals ---- */

struct pressure_meter pressure_meter(enum pressure level, unsigned percent)
{
    return (struct pressure_meter){.level = level, .least_us = (uint64_t)WINDOW_US / 100 * percent};
}

/* Lines "some avg10=0.00 avg60=0.00 avg300=0.00 total=0". False: there is none of that level. */
static bool read_total(int fd, enum pressure level, uint64_t *ret)
{
    char text[512];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    const char *line = strstr(text, word(level));
    const char *total = line ? strstr(line, "total=") : NULL;
    return total && sscanf(total, "total=%" SCNu64, ret) == 1;
}

void pressure_sample(struct pressure_meter *meter, int fd)
{
    uint64_t total;
    if (!read_total(fd, meter->level, &total)) {
        return;
    }
    if (meter->samples == PRESSURE_SAMPLES) {
        memmove(meter->totals, meter->totals + 1, sizeof meter->totals - sizeof *meter->totals);
        meter->samples--;
    }
    meter->totals[meter->samples++] = total;
}

bool pressure_is_confirmed(const struct pressure_meter *meter, int fd)
{
    uint64_t total;
    return meter->samples == 0 || !read_total(fd, meter->level, &total) || total - meter->totals[0] >= meter->least_us;
}

/* What "some 150000 2000000" stands for. */
static struct pressure_meter meter_of(const char *trigger)
{
    struct pressure_meter meter = {.level = PRESSURE_SOME};
    if (strncmp(trigger, "full", 4) == 0) {
        meter.level = PRESSURE_FULL;
    }
    (void)sscanf(trigger, "%*s %" SCNu64, &meter.least_us);
    return meter;
}

/* ---- what the service manager wants watched ---- */

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

int pressure_open_given(bool *ret_is_stream, struct pressure_meter *ret_meter)
{
    const char *path = getenv("MEMORY_PRESSURE_WATCH");
    const char *encoded = getenv("MEMORY_PRESSURE_WRITE");
    union {
        unsigned char bytes[TRIGGER_BYTES];
        char text[TRIGGER_BYTES];
    } trigger = {.text = ""};
    struct stat status;
    int bytes = 0;
    if (!path || *path != '/') {
        return -ENODATA;
    }
    if (strcmp(path, "/dev/null") == 0) {
        return -ENODEV;
    }
    if (encoded && *encoded && (bytes = b64_pton(encoded, trigger.bytes, sizeof trigger - 1)) < 0) {
        return -EINVAL;
    }
    if (stat(path, &status) < 0) {
        return -errno;
    }
    *ret_meter = meter_of(trigger.text);
    *ret_is_stream = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
    if (!S_ISSOCK(status.st_mode)) {
        return open_trigger(path, trigger.bytes, (size_t)bytes);
    }
    int fd = connect_to(path);
    if (fd >= 0 && bytes && send(fd, trigger.bytes, (size_t)bytes, MSG_NOSIGNAL) < 0) {
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

/* If an empty control group is removed, its triggers go with it, and report that as an error. */
static int hear_trigger(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLPRI};
    return poll(&look, 1, 0) > 0 && (look.revents & (POLLERR | POLLNVAL)) ? -ENODEV : 1;
}

int pressure_hear(int fd, bool is_stream)
{
    return is_stream ? hear_stream(fd) : hear_trigger(fd);
}
