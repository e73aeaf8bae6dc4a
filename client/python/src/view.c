/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching blocks, and what only views have. */
#include "client/python/src/view.h"

#include <errno.h>

#include "client/python/src/client.h"
#include "client/python/src/dlpack.h"
#include "client/python/src/errors.h"
#include "client/python/src/gil.h"
#include "client/python/src/held.h"
#include "client/python/src/losses.h"
#include "client/python/src/waiting.h"

struct view_object {
    struct held_object base;
    mb_view *view; /* valid as long as the lease is */
};

/* ---- attaching ---- */

enum { OWN_USER = -1 };

struct work {
    struct owner *owner;
    const char *name;
    long long uid;
    uint32_t wait_ms;
    uint64_t deadline;
    PyObject *progress; /* of the wait; NULL: nothing looks at it */
    mb_view *view;
    struct failure failure;
};

/* Without the interpreter's lock. */
static int attach(struct work *work, uint32_t wait_ms)
{
    mb_client *client = work->owner->client;
    int result = work->uid == OWN_USER ? mb_attach(client, work->name, wait_ms, &work->view)
                                       : mb_attach_from(client, (uint32_t)work->uid, work->name, wait_ms, &work->view);
    failure_take_of_block(&work->failure, result);
    losses_hook();
    return result;
}

static int wait_for_block(void *argument)
{
    struct work *work = argument;
    return attach(work, waiting_left_ms(work->deadline));
}

/* The call that asks first does not wait, so that what is there costs no thread. */
static int attach_or_wait(struct work *work, enum waiting_end *ret_end)
{
    work->deadline = waiting_now_ms() + work->wait_ms;
    struct gil gil = gil_drop();
    int result = attach(work, 0);
    gil_take(gil);
    if ((result != -ENOENT && result != -ESTALE) || !work->wait_ms) {
        return result;
    }
    if (atomic_load(&work->owner->is_closed)) {
        *ret_end = WAITING_CLOSED;
        return result;
    }
    const struct waiting_call call = {
        .owner = work->owner, .work = wait_for_block, .argument = work, .progress = work->progress};
    return waiting_run(&call, ret_end);
}

static PyObject *new_view(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    struct work work = {.view = NULL};
    enum waiting_end end = WAITING_DONE;
    PyObject *client;
    unsigned wait;
    (void)keywords;
    if (!PyArg_ParseTuple(arguments, "OsLIO:View", &client, &work.name, &work.uid, &wait, &work.progress)) {
        return NULL;
    }
    work.wait_ms = wait;
    work.progress = work.progress == Py_None ? NULL : work.progress;
    work.owner = client_use(client);
    if (!work.owner) {
        return NULL;
    }
    int result = attach_or_wait(&work, &end);
    if (!waiting_succeeded(end, result, &work.failure)) {
        if (result == 0) {
            (void)mb_view_close(work.view);
        }
        owner_unref(work.owner);
        return NULL;
    }
    struct held held = {
        .owner = work.owner, .lease = mb_view_lease(work.view), .is_read_only = true, .waits_for_children = true};
    held.data = (void *)(uintptr_t)mb_view_data(work.view, &held.bytes);
    PyObject *self = held_new(type, &held);
    if (self) {
        ((struct view_object *)self)->view = work.view;
    }
    return self;
}

/* ---- what is known of it ---- */

static PyObject *properties(PyObject *object, PyObject *unused)
{
    const struct view_object *self = (const struct view_object *)object;
    (void)unused;
    if (!self->base.held.owner) {
        Py_RETURN_NONE;
    }
    size_t bytes;
    const void *metadata = mb_view_metadata(self->view, &bytes);
    return Py_BuildValue("KKsy#", (unsigned long long)mb_view_number(self->view),
                         (unsigned long long)mb_lease_id(self->base.held.lease), mb_view_type(self->view),
                         (const char *)metadata, (Py_ssize_t)bytes);
}

/* ---- DLPack ---- */

static bool read_shape(PyObject *sequence, struct dlpack_array *array)
{
    Py_ssize_t count = PyTuple_Size(sequence);
    if (count < 0 || count > DLPACK_DIMENSIONS_MAX) {
        PyErr_Format(PyExc_BufferError, "DLPack knows arrays of at most %d dimensions here", DLPACK_DIMENSIONS_MAX);
        return false;
    }
    array->dimensions = (int)count;
    for (Py_ssize_t i = 0; i < count; i++) {
        array->shape[i] = PyLong_AsLongLong(PyTuple_GetItem(sequence, i));
    }
    return !PyErr_Occurred();
}

static PyObject *dlpack(PyObject *object, PyObject *arguments)
{
    const struct held *held = &((struct held_object *)object)->held;
    struct dlpack_array array = {.data = held->data};
    PyObject *shape;
    int is_versioned, is_fortran;
    if (!PyArg_ParseTuple(arguments, "iiO!pp:_dlpack", &array.type_code, &array.type_bits, &PyTuple_Type, &shape,
                          &is_fortran, &is_versioned) ||
        !read_shape(shape, &array) || !held_check(held)) {
        return NULL;
    }
    array.is_fortran = is_fortran;
    array.is_read_only = true;
    return dlpack_export(object, &array, is_versioned);
}

/* ---- the type ---- */

static PyMethodDef methods[] = {
    {"close", METHOD(held_release), METH_NOARGS,
     "Close the view now, or when the last array of it is gone. May be called again."},
    {"check", METHOD(held_check_method), METH_NOARGS,
     "Raise LeaseLost if the view was lost, so that what was read before is not to be used. One load, no message."},
    {"_properties", METHOD(properties), METH_NOARGS, "(number of the block, of the lease, type, metadata)"},
    {"_set_length", METHOD(held_set_length), METH_O, "_set_length(bytes): how many bytes are exported"},
    {"_dlpack", METHOD(dlpack), METH_VARARGS, "_dlpack(type code, bits, shape, is_fortran, is_versioned): a capsule"},
    {NULL, NULL, 0, NULL},
};

int view_add_type(PyObject *module)
{
    static char doc[] = "An attached block. Broker.view() makes it.";
    const struct held_type type = {"membroker._native.View", sizeof(struct view_object), new_view, methods, doc};
    return held_add_type(module, &type);
}
