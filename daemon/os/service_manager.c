/* SPDX-License-Identifier: Apache-2.0 */
/* Talking to the service manager, by libsystemd. */
#include "daemon/os/service_manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

bool service_manager_is_there(void)
{
    const char *socket = getenv("NOTIFY_SOCKET");
    return socket && *socket;
}

/* ---- what was handed over ---- */

bool service_manager_keeps(const char *name)
{
    const char *names = getenv("LISTEN_FDNAMES");
    size_t length = strlen(name);
    while (names && *names) {
        size_t here = strcspn(names, ":");
        if (here == length && strncmp(names, name, length) == 0) {
            return true;
        }
        names += here + (names[here] != '\0');
    }
    return false;
}

static int by_name(const void *left, const void *right)
{
    const struct handed_descriptor *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->fd > b->fd) - (a->fd < b->fd);
}

int service_manager_take(struct handed_descriptors *ret)
{
    char **names = NULL;
    *ret = (struct handed_descriptors){0};
    int count = sd_listen_fds_with_names(true, &names);
    if (count <= 0) {
        return count;
    }
    ret->at = calloc((size_t)count, sizeof *ret->at);
    if (!ret->at) {
        return -ENOMEM; /* they stay open, and what they hold is still there */
    }
    for (int i = 0; i < count; i++) {
        ret->at[i] = (struct handed_descriptor){SD_LISTEN_FDS_START + i, names[i]};
    }
    ret->count = (size_t)count;
    free((void *)names);
    qsort(ret->at, ret->count, sizeof *ret->at, by_name);
    return 0;
}

void service_manager_close(struct handed_descriptors *descriptors)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        (void)fd_close(descriptors->at[i].fd);
        free(descriptors->at[i].name);
    }
    free(descriptors->at);
    *descriptors = (struct handed_descriptors){0};
}

int service_manager_take_named(struct handed_descriptors *descriptors, const char *name)
{
    size_t low = 0, high = descriptors->count; /* behind the last one of that name */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(descriptors->at[middle].name, name) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low-- > 0 && strcmp(descriptors->at[low].name, name) == 0) {
        if (descriptors->at[low].fd >= 0) {
            return fd_steal(&descriptors->at[low].fd);
        }
    }
    return -ENOENT;
}

/* ---- messages ---- */

/* Without this message the service manager waits, and then starts the daemon again: it is sent again if it fails. */
void service_manager_ready(const char *status)
{
    enum { TRIES = 20, PAUSE_US = 10000 };
    for (int i = 0; i < TRIES && sd_notifyf(0, "READY=1\nSTATUS=%s", status) < 0; i++) {
        (void)usleep(PAUSE_US);
    }
}

void service_manager_reloading(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                     (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}

void service_manager_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void service_manager_alive(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

uint64_t service_manager_watchdog_ms(void)
{
    uint64_t usec = 0;
    return sd_watchdog_enabled(0, &usec) > 0 ? usec / 1000 : 0;
}

/* ---- descriptors ---- */

int service_manager_store(const char *name, int fd)
{
    char message[128];
    (void)snprintf(message, sizeof message, "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    int result = sd_pid_notify_with_fds(0, 0, message, &fd, 1);
    return result < 0 ? result : 0;
}

void service_manager_forget(const char *name)
{
    (void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}
