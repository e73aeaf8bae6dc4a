/* SPDX-License-Identifier: Apache-2.0 */
/* The calls on a client. The typed layer above names and checks the arguments. */
#include "client/python/src/client.h"

#include <errno.h>

#include "client/python/src/errors.h"
#include "client/python/src/gil.h"
#include "client/python/src/handler.h"
#include "client/python/src/install.h"
#include "client/python/src/losses.h"
#include "client/python/src/reclaiming.h"

struct client_object {
    PyObject_HEAD struct owner *owner; /* NULL: closed */
};

static PyTypeObject *client_type;

struct owner *client_owner(PyObject *object)
{
    if (!PyObject_TypeCheck(object, client_type)) {
        PyErr_SetString(PyExc_TypeError, "a client is expected");
        return NULL;
    }
    struct owner *owner = ((struct client_object *)object)->owner;
    if (!owner) {
        PyErr_SetString(PyExc_ValueError, "the broker was closed");
    }
    return owner;
}

/* ---- life ---- */

static int read_options(PyObject *arguments, mb_client_options *options, int *ret_shared)
{
    unsigned long long heap = MB_LIMIT_DEFAULT, most = MB_LIMIT_DEFAULT, physical = MB_LIMIT_DEFAULT;
    unsigned timeout = 0, wait = 0;
    if (!PyArg_ParseTuple(arguments, "|zzKKKIIp:Client", &options->socket, &options->name, &heap, &most, &physical,
                          &timeout, &wait, ret_shared)) {
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
    int is_shared = 0;
    (void)keywords;
    if (read_options(arguments, &options, &is_shared) < 0) {
        return NULL;
    }
    int result = owner_connect(&options, is_shared, &owner);
    if (result < 0) {
        return errors_raise_last(result, NULL);
    }
    allocfunc allocate = __extension__(allocfunc) PyType_GetSlot(type, Py_tp_alloc);
    struct client_object *self = (struct client_object *)allocate(type, 0);
    if (!self) {
        owner_unref(owner);
        return NULL;
    }
    self->owner = owner;
    return (PyObject *)self;
}

static void end(struct client_object *self)
{
    struct owner *owner = self->owner;
    self->owner = NULL;
    if (owner) {
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

/* ---- NumPy ---- */

static PyObject *numpy_handler(PyObject *object, PyObject *argument)
{
    struct owner *owner = client_owner(object);
    long location = PyLong_AsLong(argument);
    return !owner || PyErr_Occurred() ? NULL : handler_of_blocks(owner, (mb_location)location);
}

static PyObject *numpy_install(PyObject *object, PyObject *argument)
{
    struct owner *owner = client_owner(object);
    long location = PyLong_AsLong(argument);
    if (!owner || PyErr_Occurred() || !install_default(owner, (mb_location)location)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- the broker ---- */

/* Runs a call without the interpreter's lock. Returns None, or raises. */
static PyObject *call(PyObject *object, int (*function)(mb_client *client))
{
    struct owner *owner = client_owner(object);
    struct failure failure;
    if (!owner) {
        return NULL;
    }
    struct gil gil = gil_drop();
    int result = function(owner->client);
    failure_take(&failure, result, owner);
    gil_take(gil);
    if (result < 0) {
        return errors_raise(&failure);
    }
    Py_RETURN_NONE;
}

static PyObject *ping(PyObject *object, PyObject *unused)
{
    (void)unused;
    return call(object, mb_ping);
}

static int trim_all(mb_client *client)
{
    mb_trim(client);
    return 0;
}

static PyObject *trim(PyObject *object, PyObject *unused)
{
    (void)unused;
    return call(object, trim_all);
}

static PyObject *wait_connected(PyObject *object, PyObject *argument)
{
    struct owner *owner = client_owner(object);
    unsigned long timeout = PyLong_AsUnsignedLong(argument);
    struct failure failure;
    if (!owner || PyErr_Occurred()) {
        return NULL;
    }
    struct gil gil = gil_drop();
    int result = mb_wait_connected(owner->client, (uint32_t)timeout);
    failure_take(&failure, result, owner);
    gil_take(gil);
    if (result < 0) {
        return errors_raise(&failure);
    }
    Py_RETURN_NONE;
}

static PyObject *session(PyObject *object, void *unused)
{
    const struct owner *owner = client_owner(object);
    (void)unused;
    return owner ? PyLong_FromUnsignedLongLong(mb_client_session(owner->client)) : NULL;
}

static PyObject *pressure(PyObject *object, void *unused)
{
    const struct owner *owner = client_owner(object);
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
    const struct owner *owner = client_owner(object);
    (void)unused;
    return owner ? PyLong_FromLong(atomic_load(&owner->uses) - 1) : NULL;
}

static PyMethodDef methods[] = {
    {"close", METHOD(close_client), METH_NOARGS, "End this use; the last use ends the session."},
    {"numpy_handler", METHOD(numpy_handler), METH_O, "numpy_handler(location): a capsule for NumPy"},
    {"numpy_install", METHOD(numpy_install), METH_O, "numpy_install(location): for all contexts of the process"},
    {"ping", METHOD(ping), METH_NOARGS, "One round trip to the broker."},
    {"trim", METHOD(trim), METH_NOARGS, "Give free memory back to the broker now."},
    {"wait_connected", METHOD(wait_connected), METH_O, "wait_connected(timeout_ms)"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"session", session, NULL, "The number of the session.", NULL},
    {"pressure", pressure, NULL, "The memory pressure of the machine: 0, 1 or 2.", NULL},
    {"closed", is_closed, NULL, "Whether close() was called.", NULL},
    {"inherited", is_inherited, NULL, "Whether this is a forked child and the client its parent's.", NULL},
    {"uses", uses, NULL, "Leases, buffers and arrays that live.", NULL},
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
