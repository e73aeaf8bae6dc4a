/* SPDX-License-Identifier: Apache-2.0 */
#include "client/python/src/name_watch.h"

#include <stdlib.h>

#include "client/python/src/client.h"
#include "client/python/src/errors.h"
#include "client/python/src/gil.h"
#include "client/python/src/waiting.h"

static const char capsule_name[] = "membroker.watch";

struct name_watch {
    struct owner *owner; /* a use of it, so that the client stays */
    mb_block_watch *watch;
    const mb_block_change *change; /* that the program was not given yet; NULL: none */
    uint64_t deadline;             /* of the present call */
    struct failure failure;
};

/* ---- beginning and end ---- */

static void end(struct name_watch *watch)
{
    mb_block_watch_end(watch->watch);
    owner_unref(watch->owner);
    free(watch);
}

static void end_capsule(PyObject *capsule)
{
    end(PyCapsule_GetPointer(capsule, capsule_name));
}

static int begin(struct name_watch *watch, const char *prefix, long long uid)
{
    mb_client *client = watch->owner->client;
    int result = uid < 0 ? mb_watch_blocks(client, prefix, &watch->watch)
                         : mb_watch_blocks_of(client, (uint32_t)uid, prefix, &watch->watch);
    failure_take(&watch->failure, result);
    return result;
}

PyObject *name_watch_begin(PyObject *module, PyObject *arguments)
{
    PyObject *client;
    const char *prefix;
    long long uid;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OsL:watch", &client, &prefix, &uid)) {
        return NULL;
    }
    struct owner *owner = client_use(client);
    struct name_watch *watch = owner ? calloc(1, sizeof *watch) : NULL;
    if (!watch) {
        if (owner) {
            owner_unref(owner);
            (void)PyErr_NoMemory();
        }
        return NULL;
    }
    watch->owner = owner;
    PyObject *capsule =
        begin(watch, prefix, uid) < 0 ? errors_raise(&watch->failure) : PyCapsule_New(watch, capsule_name, end_capsule);
    if (!capsule) {
        end(watch);
    }
    return capsule;
}

/* ---- waiting ---- */

/* Without the interpreter's lock. What came stays in the watch, also if the wait ends with an exception. */
static int next(struct name_watch *watch, uint32_t wait_ms)
{
    int result = mb_block_watch_next(watch->watch, wait_ms, &watch->change);
    result = result < 0 ? result : 0;
    failure_take(&watch->failure, result);
    return result;
}

static int wait_for_change(void *argument)
{
    struct name_watch *watch = argument;
    return next(watch, waiting_left_ms(watch->deadline));
}

/* The call that asks first does not wait, so that what is there costs no thread. */
static int next_or_wait(struct name_watch *watch, uint32_t wait_ms, PyObject *progress, enum waiting_end *ret_end)
{
    watch->deadline = waiting_now_ms() + wait_ms;
    struct gil gil = gil_drop();
    int result = next(watch, 0);
    gil_take(gil);
    if (result < 0 || watch->change || !wait_ms) {
        return result;
    }
    const struct waiting_call call = {
        .owner = watch->owner, .work = wait_for_change, .argument = watch, .progress = progress};
    return waiting_run(&call, ret_end);
}

static PyObject *give(struct name_watch *watch)
{
    const mb_block_change *change = watch->change;
    if (!change) {
        Py_RETURN_NONE;
    }
    watch->change = NULL;
    return Py_BuildValue("isKKsi", (int)change->type, change->name, (unsigned long long)change->number,
                         (unsigned long long)change->bytes, change->block_type, (int)change->reason);
}

PyObject *name_watch_next(PyObject *module, PyObject *arguments)
{
    enum waiting_end ended = WAITING_DONE;
    PyObject *client, *capsule, *progress;
    unsigned wait;
    int result = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOIO:watch_next", &client, &capsule, &wait, &progress)) {
        return NULL;
    }
    struct name_watch *watch = PyCapsule_GetPointer(capsule, capsule_name);
    struct owner *owner = watch ? client_use(client) : NULL;
    if (!owner) {
        return NULL;
    }
    if (!watch->change) {
        result = next_or_wait(watch, wait, progress == Py_None ? NULL : progress, &ended);
    }
    owner_unref(owner);
    return waiting_succeeded(ended, result, &watch->failure) ? give(watch) : NULL;
}
