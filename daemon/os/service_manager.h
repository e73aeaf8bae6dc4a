/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service manager: systemd, or any supervisor that speaks its protocol (NOTIFY_SOCKET, LISTEN_FDS). It is told how
 * the daemon is, keeps descriptors over a restart, and hands over the listening socket. Without one every call does
 * nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A descriptor that was handed over at the start. */
struct handed_descriptor {
    int fd; /* -EBADF: taken */
    char *name;
};

struct handed_descriptors {
    struct handed_descriptor *at; /* by name, then by number */
    size_t count;
};

/* Whether a service manager listens. */
bool service_manager_is_there(void);

/* Whether a descriptor of this name was handed over and is not taken yet. */
bool service_manager_keeps(const char *name);

/* Takes all descriptors that were handed over, close-on-exec. 0 or negative errno. Freed with the next function. */
int service_manager_take(struct handed_descriptors *ret);

/* Closes what was not taken. */
void service_manager_close(struct handed_descriptors *descriptors);

/* The descriptor of this name, which is the caller's from now on; -ENOENT: there is none. Later ones of it first. */
int service_manager_take_named(struct handed_descriptors *descriptors, const char *name);

/* Messages; `status` is a sentence for people. */
void service_manager_ready(const char *status);
void service_manager_reloading(void);
void service_manager_stopping(void);
void service_manager_alive(void);

/* How often service_manager_alive() is expected, in ms; 0: not at all. */
uint64_t service_manager_watchdog_ms(void);

/* Keeps a copy of the descriptor under a name. 0 or negative errno. */
int service_manager_store(const char *name, int fd);

/* Lets go of every copy under that name. */
void service_manager_forget(const char *name);
