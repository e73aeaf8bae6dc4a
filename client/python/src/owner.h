/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the broker, counted: the Python object, its leases, buffers and arrays, and each call that runs hold one
 * use. The last one disconnects, so that no array is left without its memory, and no call without its client.
 */
#pragma once

#include <membroker.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "client/python/src/compat.h"

struct owner {
    mb_client *client;
    atomic_long uses;
    _Atomic bool is_inherited; /* this is a forked child, and the client is its parent's */
    _Atomic bool is_closed;    /* its Python object ended its use: what waits for it ends */
    bool is_shared;            /* with the other libraries of the process */
    uint32_t wait_ms;          /* how long an allocation may wait */
    PyObject *progress;        /* makes the watches of arrays that wait; NULL: nothing is shown */
    struct owner *next;        /* of all that were made */
};

/*
 * Connects, or shares the process's client. Waits without the interpreter's lock. Returns 0 or negative errno: -EEXIST
 * if another library shares a client with other options. The caller has the first use.
 */
int owner_connect(const mb_client_options *options, bool is_shared, struct owner **ret_owner);

static inline void owner_ref(struct owner *owner)
{
    (void)atomic_fetch_add_explicit(&owner->uses, 1, memory_order_relaxed);
}

void owner_unref(struct owner *owner);

/* In a forked child: all that exist are the parent's. */
void owner_inherit_all(void);

/* Whether any has a use beside its Python object. */
bool owner_any_in_use(void);
