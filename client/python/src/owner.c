/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting, counting, disconnecting. */
#include "client/python/src/owner.h"

#include <errno.h>
#include <stdlib.h>

#include "client/python/src/gil.h"
#include "client/python/src/losses.h"

/* An owner is never freed: a lost array may name it, and there are few. Without a lock: fork() looks at them. */
static struct owner *_Atomic all;

static void note(struct owner *owner)
{
    owner->next = atomic_load(&all);
    while (!atomic_compare_exchange_weak(&all, &owner->next, owner)) {
    }
}

static int connect_to(const mb_client_options *options, struct owner *owner)
{
    struct gil gil = gil_drop();
    losses_before_connecting();
    int result = owner->is_shared ? mb_client_shared(options, &owner->client) : mb_connect(options, &owner->client);
    losses_after_connecting(result == 0);
    if (result == 0) {
        note(owner);
    }
    gil_take(gil);
    return result;
}

int owner_connect(const mb_client_options *options, bool is_shared, struct owner **ret_owner)
{
    struct owner *owner = calloc(1, sizeof *owner);
    if (!owner) {
        return -ENOMEM;
    }
    owner->is_shared = is_shared;
    owner->wait_ms = options->wait_ms;
    atomic_init(&owner->uses, 1);
    int result = connect_to(options, owner);
    if (result < 0) {
        free(owner);
        return result;
    }
    *ret_owner = owner;
    return 0;
}

/* A thread without the interpreter's lock leaves it: the owner stays, too. */
static void forget_progress(struct owner *owner)
{
    struct gil gil = gil_drop();
    gil_take(gil);
    if (gil.thread) {
        Py_CLEAR(owner->progress);
    }
}

void owner_unref(struct owner *owner)
{
    if (atomic_fetch_sub_explicit(&owner->uses, 1, memory_order_acq_rel) > 1 || atomic_load(&owner->is_inherited)) {
        return;
    }
    mb_client *client = owner->client;
    forget_progress(owner);
    struct gil gil = gil_drop();
    if (owner->is_shared) {
        mb_client_shared_release(client);
    } else {
        mb_disconnect(client);
    }
    gil_take(gil);
}

void owner_inherit_all(void)
{
    for (struct owner *owner = atomic_load(&all); owner; owner = owner->next) {
        atomic_store(&owner->is_inherited, true);
    }
}

bool owner_any_in_use(void)
{
    bool any = false;
    for (const struct owner *owner = atomic_load(&all); owner && !any; owner = owner->next) {
        any = !atomic_load(&owner->is_inherited) && atomic_load(&owner->uses) > 1;
    }
    return any;
}
