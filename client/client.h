/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client is made of parts. Each part's header says what it does; its file is the one that mainly uses it.
 *
 * One mutex guards all of it, and the leases. It is never held while a thread waits. Allocating in a workspace and
 * checking a lease take no lock.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "client/background.h"
#include "client/boards.h"
#include "client/calls.h"
#include "client/client_options.h"
#include "client/clock.h"
#include "client/control.h"
#include "client/events.h"
#include "client/lease_cache.h"
#include "client/lease_table.h"
#include "client/link.h"
#include "client/receive.h"
#include "client/reclaimers.h"
#include "client/registry.h"
#include "client/releases.h"
#include "client/renewal.h"
#include "client/session.h"
#include "client/thread.h"
#include "client/trim.h"
#include "client/wakeup.h"
#include "membroker.h"

struct mb_client {
    pid_t owner;            /* the process that connected */
    uint64_t serial;        /* no other client of this process has it */
    _Atomic uint64_t epoch; /* a new number after each loss of a lease; no other client has it */
    LIST_ENTRY(mb_client) in_process;
    struct client_options options;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a call is done, the connection's state changed, or another thread may read */
    bool is_stopping;       /* the program disconnects */

    struct wakeup wakeup;
    struct link link;
    struct receiver receiver;
    struct session session;
    struct controls controls;
    struct boards boards;
    struct calls calls;
    struct lease_table leases;
    struct releases releases;
    struct renewal renewal;
    struct lease_cache cache;
    struct events events;
    struct reclaimers reclaimers;
    struct trim trim;
    struct background background;

    struct heaps *heaps;              /* of buffer/ */
    struct workspace_list workspaces; /* of workspace/, in all threads */
};
