/* SPDX-License-Identifier: Apache-2.0 */
/* Beginning and ending cycles, and the figures from which sizes are learned. */
#include "client/python/src/workspace.h"

#include <errno.h>
#include <stdio.h>

#include "client/python/src/client.h"
#include "client/python/src/errors.h"
#include "client/python/src/handler.h"

struct workspace_object {
    PyObject_HEAD struct region_stack stack;
};

static PyObject *new_workspace(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *client;
    const char *name;
    int location, can_spill;
    unsigned ttl;
    (void)keywords;
    if (!PyArg_ParseTuple(arguments, "OsiIp:Workspace", &client, &name, &location, &ttl, &can_spill)) {
        return NULL;
    }
    struct owner *owner = client_use(client);
    if (!owner) {
        return NULL;
    }
    allocfunc allocate = __extension__(allocfunc) PyType_GetSlot(type, Py_tp_alloc);
    struct workspace_object *self = (struct workspace_object *)allocate(type, 0);
    if (!self) {
        owner_unref(owner);
        return NULL;
    }
    self->stack.owner = owner;
    self->stack.options = (mb_lease_options)MB_LEASE_OPTIONS_INIT;
    self->stack.options.location = (mb_location)location;
    self->stack.options.ttl_ms = ttl;
    self->stack.options.wait_ms = owner->wait_ms;
    self->stack.can_spill = can_spill;
    (void)snprintf(self->stack.name, sizeof self->stack.name, "%s", name);
    return (PyObject *)self;
}

/* No array lives in a region: each array keeps its handler, and the handler keeps the workspace. */
static void dealloc(PyObject *object)
{
    struct workspace_object *self = (struct workspace_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->stack.owner) {
        region_close(&self->stack);
        owner_unref(self->stack.owner);
    }
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *begin(PyObject *object, PyObject *argument)
{
    struct workspace_object *self = (struct workspace_object *)object;
    size_t bytes = PyLong_AsSize_t(argument);
    if (PyErr_Occurred() || !region_begin(&self->stack, bytes)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *close_regions(PyObject *object, PyObject *unused)
{
    (void)unused;
    region_close(&((struct workspace_object *)object)->stack);
    Py_RETURN_NONE;
}

static PyObject *check(PyObject *object, PyObject *unused)
{
    struct region_stack *stack = &((struct workspace_object *)object)->stack;
    int result = region_check(stack);
    (void)unused;
    if (result < 0) {
        return errors_raise_last(result);
    }
    Py_RETURN_NONE;
}

static PyObject *numpy_handler(PyObject *object, PyObject *unused)
{
    (void)unused;
    return handler_of_regions(object, &((struct workspace_object *)object)->stack);
}

static PyObject *figures(PyObject *object, void *unused)
{
    const struct region_stack *stack = &((struct workspace_object *)object)->stack;
    const struct region *current = stack->current;
    (void)unused;
    return Py_BuildValue("{s:n,s:n,s:n,s:n,s:n,s:n,s:n}", "region_bytes", (Py_ssize_t)(current ? current->bytes : 0),
                         "used_bytes", (Py_ssize_t)(current ? current->top : 0), "arrays",
                         (Py_ssize_t)(current ? current->arrays : 0), "cycle_bytes", (Py_ssize_t)stack->cycle_bytes,
                         "spilled_bytes", (Py_ssize_t)stack->spilled_bytes, "spilled_count",
                         (Py_ssize_t)stack->spilled_count, "kept_regions", (Py_ssize_t)stack->retired_count);
}

static PyMethodDef methods[] = {
    {"begin", METHOD(begin), METH_O, "begin(bytes): an empty region of at least so many bytes"},
    {"close", METHOD(close_regions), METH_NOARGS, "Give back the regions that no array uses."},
    {"check", METHOD(check), METH_NOARGS, "Raise LeaseLost if a lease under it has ended."},
    {"numpy_handler", METHOD(numpy_handler), METH_NOARGS, "A capsule for NumPy."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"figures", figures, NULL, "A dictionary of byte counts.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int workspace_add_type(PyObject *module)
{
    static char doc[] = "Regions for arrays. membroker.Workspace is the interface.";
    static PyType_Slot slots[] = {
        {Py_tp_new, SLOT(new_workspace)},
        {Py_tp_dealloc, SLOT(dealloc)},
        {Py_tp_methods, methods},
        {Py_tp_getset, getters},
        {Py_tp_doc, doc},
        {0, NULL},
    };
    static PyType_Spec spec = {"membroker._native.Workspace", sizeof(struct workspace_object), 0, Py_TPFLAGS_DEFAULT,
                               slots};
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, "Workspace", type) : -1;
}
