/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for the service manager: it hands over the listening socket, keeps the descriptors that the daemon stores,
 * and starts the daemon again when it ends, as systemd does, but unprivileged and in a test's own process.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "tests/integration/fixture.h"

enum { MANAGER_STORE_MAX = 9500, TRACE_WORDS = 5 };

struct manager_entry {
    char name[64];
    int fd;
};

struct manager {
    struct fixture *fixture;
    char notify_path[96];
    char program[640];
    const char *fault;              /* MEMBROKER_FAULT for the first daemon; NULL: none */
    const char *trace[TRACE_WORDS]; /* a command that runs the next daemons, as the same process; NULL: none */
    int notify, listen;
    pthread_t thread;
    pthread_mutex_t lock;
    struct manager_entry store[MANAGER_STORE_MAX];
    size_t stored;
    atomic_uint starts, ready, alive; /* daemons started; READY=1 and WATCHDOG=1 messages */
    atomic_int last_end;              /* how the last daemon that ended by itself did: a status as of waitpid() */
    atomic_bool stopping, ended, is_ready;
};

/*
 * Prepares the fixture and starts the daemon under a manager. `program`: of this build; `fault` may be NULL. The daemon
 * gets MANAGER_PRELOAD as its LD_PRELOAD, and MEMBROKER_FAULT_CONTROL, if they are in the environment; the fixture's
 * directory is its STATE_DIRECTORY.
 */
void manager_start(struct manager *manager, struct fixture *fixture, const char *program, const char *fault,
                   const char *settings);

/* Sends the daemon a signal and waits until another one is ready. */
void manager_restart(struct manager *manager, int signal);

/* Waits until a daemon answers. */
void manager_wait(struct manager *manager);

/* How many descriptors are stored. */
size_t manager_stored(struct manager *manager);

/* Puts a descriptor into the store under a name, as a daemon that was killed may have. */
void manager_put(struct manager *manager, const char *name, int fd);

/* Replaces the stored descriptor of that name. */
void manager_replace(struct manager *manager, const char *name, int fd);

/* Ends the daemon for good (SIGINT: with its leases), audits first, and expects nothing left. */
void manager_stop(struct manager *manager);
