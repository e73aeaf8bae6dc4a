/* SPDX-License-Identifier: Apache-2.0 */
/* The calls on a client. The typed layer above names and checks the arguments. */
#include "client/python/src/client.h"

#include <errno.h>
#include <stdio.h>

#include "client/python/src/errors.h"
#include "client/python/src/gil.h"
#include "client/python/src/handler.h"
#include "client/python/src/install.h"
#include "client/python/src/losses.h"
#include "client/python/src/reclaiming.h"
#include "client/python/src/tensors.h"

enum { WAIT_PIECE_MS = 50 }; /* between two looks for signals */

struct client_object {
    PyObject_HEAD struct owner *owner; /* NULL: closed */
};

static PyTypeObject *client_type;

/* Valid until the interpreter's lock is dropped. NULL: an exception is set. */
static struct owner *owner_of(PyObject *object)
{
    struct owner *owner = ((struct client_object *)object)->owner;
    if (!owner) {
        (void)errors_raise_closed();
    }
    return owner;
}

struct owner *client_use(PyObject *object)
{
    if (!PyObject_TypeCheck(object, client_type)) {
        PyErr_SetString(PyExc_TypeError, "a client is expected");
        return NULL;
    }
    struct owner *owner = owner_of(object);
    if (owner) {
        owner_ref(owner);
    }
    return owner;
}

/* ---- life ---- */

static int read_options(PyObject *arguments, mb_client_options *options, int *ret_shared, PyObject **ret_progress)
{
    unsigned long long heap = MB_LIMIT_DEFAULT, most = MB_LIMIT_DEFAULT, physical = MB_LIMIT_DEFAULT;
    unsigned timeout = 0, wait = 0;
    if (!PyArg_ParseTuple(arguments, "|zzKKKIIpO:Client", &options->socket, &options->name, &heap, &most, &physical,
                          &timeout, &wait, ret_shared, ret_progress)) {
        return -1;
    }
    options->heap_bytes = heap;
    options->max_bytes = most;
    options->max_physical_bytes = physical;
    options->timeout_ms = timeout;
    options->wait_ms = wait;
    options->flags = MB_CLIENT_GUARD | MB_CLIENT_SHARE_WITH_CHILDREN;
    options->on_event = losses_on_event;
    options->on_reclaim = reclaiming_collect;
    options->max_retries = 1;
    options->retry_wait_ms = 0;
    return 0;
}

static PyObject *new_client(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    struct owner *owner;
    PyObject *progress = Py_None;
    int is_shared = 0;
    (void)keywords;
    if (read_options(arguments, &options, &is_shared, &progress) < 0) {
        return NULL;
    }
    int result = owner_connect(&options, is_shared, &owner);
    if (result < 0) {
        return errors_raise_last(result);
    }
    allocfunc allocate = __extension__(allocfunc) PyType_GetSlot(type, Py_tp_alloc);
    struct client_object *self = (struct client_object *)allocate(type, 0);
    if (!self) {
        owner_unref(owner);
        return NULL;
    }
    self->owner = owner;
    owner->progress = progress == Py_None ? NULL : progress;
    Py_XINCREF(owner->progress);
    return (PyObject *)self;
}

static void end(struct client_object *self)
{
    struct owner *owner = self->owner;
    self->owner = NULL;
    if (owner) {
        atomic_store(&owner->is_closed, true);
        owner_unref(owner);
    }
}

static void dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    end((struct client_object *)object);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *close_client(PyObject *object, PyObject *unused)
{
    (void)unused;
    end((struct client_object *)object);
    Py_RETURN_NONE;
}

/* ---- NumPy and PyTorch ---- */

static PyObject *numpy_handler(PyObject *object, PyObject *argument)
{
    struct owner *owner = owner_of(object);
    long location = PyLong_AsLong(argument);
    return !owner || PyErr_Occurred() ? NULL : handler_of_blocks(owner, (mb_location)location);
}

static PyObject *install(PyObject *object, PyObject *argument,
                         bool (*function)(struct owner *owner, mb_location location))
{
    struct owner *owner = owner_of(object);
    long location = PyLong_AsLong(argument);
    if (!owner || PyErr_Occurred() || !function(owner, (mb_location)location)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *numpy_install(PyObject *object, PyObject *argument)
{
    return install(object, argument, install_default);
}

static PyObject *torch_install(PyObject *object, PyObject *argument)
{
    return install(object, argument, tensors_install);
}

/* ---- the broker ---- */

typedef int client_function(mb_client *client, uint32_t argument);

/* Without the interpreter's lock. 0: it did; otherwise the failure is taken. */
static int call_unlocked(struct owner *owner, client_function *function, uint32_t argument, struct failure *failure)
{
    struct gil gil = gil_drop();
    int result = function(owner->client, argument);
    failure_take(failure, result);
    gil_take(gil);
    return result;
}

/* Returns None, or raises. */
static PyObject *call(PyObject *object, client_function *function)
{
    struct owner *owner = client_use(object);
    struct failure failure;
    if (!owner) {
        return NULL;
    }
    int result = call_unlocked(owner, function, 0, &failure);
    owner_unref(owner);
    if (result < 0) {
        return errors_raise(&failure);
    }
    Py_RETURN_NONE;
}

static int ping_once(mb_client *client, uint32_t unused)
{
    (void)unused;
    return mb_ping(client);
}

static PyObject *ping(PyObject *object, PyObject *unused)
{
    (void)unused;
    return call(object, ping_once);
}

static int trim_all(mb_client *client, uint32_t unused)
{
    (void)unused;
    mb_trim(client);
    return 0;
}

static PyObject *trim(PyObject *object, PyObject *unused)
{
    (void)unused;
    return call(object, trim_all);
}

/* In pieces, so that a signal or close() ends it. -EINTR: an exception is set. */
static int wait_in_pieces(struct owner *owner, unsigned long timeout, struct failure *failure)
{
    unsigned long left = timeout;
    int result;
    do {
        uint32_t piece = left < WAIT_PIECE_MS ? (uint32_t)left : WAIT_PIECE_MS;
        result = call_unlocked(owner, mb_wait_connected, piece, failure);
        left -= piece;
        if (result == -ETIMEDOUT && PyErr_CheckSignals() < 0) {
            return -EINTR;
        }
        if (result == -ETIMEDOUT && atomic_load(&owner->is_closed)) {
            (void)errors_raise_closed();
            return -EINTR;
        }
    } while (result == -ETIMEDOUT && left > 0);
    if (result == -ETIMEDOUT) {
        (void)snprintf(failure->sentence, sizeof failure->sentence,
                       "there was no connection to the broker within %lu ms; start membrokerd, or wait longer",
                       timeout);
    }
    return result;
}

static PyObject *wait_connected(PyObject *object, PyObject *argument)
{
    unsigned long timeout = PyLong_AsUnsignedLong(argument);
    struct owner *owner = PyErr_Occurred() ? NULL : client_use(object);
    struct failure failure;
    if (!owner) {
        return NULL;
    }
    int result = wait_in_pieces(owner, timeout, &failure);
    owner_unref(owner);
    if (result < 0) {
        return result == -EINTR ? NULL : errors_raise(&failure);
    }
    Py_RETURN_NONE;
}

static PyObject *unpublish(PyObject *object, PyObject *argument)
{
    PyObject *name = PyUnicode_AsUTF8String(argument);
    struct owner *owner = name ? client_use(object) : NULL;
    struct failure failure;
    if (!owner) {
        Py_XDECREF(name);
        return NULL;
    }
    struct gil gil = gil_drop();
    int result = mb_unpublish(owner->client, PyBytes_AsString(name));
    failure_take_of_block(&failure, result);
    gil_take(gil);
    owner_unref(owner);
    Py_DECREF(name);
    if (result < 0) {
        return errors_raise(&failure);
    }
    Py_RETURN_NONE;
}

static PyObject *session(PyObject *object, void *unused)
{
    const struct owner *owner = owner_of(object);
    (void)unused;
    return owner ? PyLong_FromUnsignedLongLong(mb_client_session(owner->client)) : NULL;
}

static PyObject *pressure(PyObject *object, void *unused)
{
    const struct owner *owner = owner_of(object);
    (void)unused;
    return owner ? PyLong_FromLong((long)mb_client_pressure(owner->client)) : NULL;
}

static PyObject *is_closed(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!((struct client_object *)object)->owner);
}

static PyObject *is_inherited(PyObject *object, void *unused)
{
    const struct owner *owner = ((struct client_object *)object)->owner;
    (void)unused;
    return PyBool_FromLong(owner && atomic_load(&owner->is_inherited));
}

static PyObject *uses(PyObject *object, void *unused)
{
    const struct owner *owner = owner_of(object);
    (void)unused;
    return owner ? PyLong_FromLong(atomic_load(&owner->uses) - 1) : NULL;
}

static PyMethodDef methods[] = {
    {"close", METHOD(close_client), METH_NOARGS, "End this use; the last use ends the session."},
    {"numpy_handler", METHOD(numpy_handler), METH_O, "numpy_handler(location): a capsule for NumPy"},
    {"numpy_install", METHOD(numpy_install), METH_O, "numpy_install(location): for all contexts of the process"},
    {"tensors_install", METHOD(torch_install), METH_O, "tensors_install(location): for all tensors of the process"},
    {"ping", METHOD(ping), METH_NOARGS, "One round trip to the broker."},
    {"trim", METHOD(trim), METH_NOARGS, "Give free memory back to the broker now."},
    {"unpublish", METHOD(unpublish), METH_O, "unpublish(name): takes the name from this user's block."},
    {"wait_connected", METHOD(wait_connected), METH_O, "wait_connected(timeout_ms)"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"session", session, NULL, "The number of the session.", NULL},
    {"pressure", pressure, NULL, "The memory pressure of the machine: 0, 1 or 2.", NULL},
    {"closed", is_closed, NULL, "Whether close() was called.", NULL},
    {"inherited", is_inherited, NULL, "Whether this is a forked child and the client its parent's.", NULL},
    {"uses", uses, NULL, "Leases, buffers, arrays, handlers and running calls.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int client_add_type(PyObject *module)
{
    static char doc[] = "A session with the broker. membroker.Broker is the interface.";
    static PyType_Slot slots[] = {
        {Py_tp_new, SLOT(new_client)},
        {Py_tp_dealloc, SLOT(dealloc)},
        {Py_tp_methods, methods},
        {Py_tp_getset, getters},
        {Py_tp_doc, doc},
        {0, NULL},
    };
    static PyType_Spec spec = {"membroker._native.Client", sizeof(struct client_object), 0, Py_TPFLAGS_DEFAULT, slots};
    client_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return client_type ? PyModule_AddObject(module, "Client", (PyObject *)client_type) : -1;
}
