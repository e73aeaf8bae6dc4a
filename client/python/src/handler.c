/* SPDX-License-Identifier: Apache-2.0 */
/* The two kinds of handlers, and calling a function with one. */
#include "client/python/src/handler.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/python/src/block.h"
#include "client/python/src/numpy_api.h"

struct bound_handler {
    struct numpy_handler handler; /* first: the capsule's pointer */
    struct owner *owner;
    mb_location location;
    struct region_stack *stack;
    PyObject *holder;
};

/* ---- blocks ---- */

static void *block_malloc(void *context, size_t bytes)
{
    const struct bound_handler *bound = context;
    return block_allocate(bound->owner, bound->location, bytes, 0);
}

static void *block_calloc(void *context, size_t count, size_t bytes)
{
    const struct bound_handler *bound = context;
    size_t all;
    return __builtin_mul_overflow(count, bytes, &all)
               ? NULL
               : block_allocate(bound->owner, bound->location, all, BLOCK_ZEROED);
}

static void *block_realloc(void *context, void *data, size_t bytes)
{
    const struct bound_handler *bound = context;
    return block_resize(bound->owner, bound->location, data, bytes);
}

static void block_release(void *context, void *data, size_t bytes)
{
    const struct bound_handler *bound = context;
    (void)bytes; /* NumPy computes it from the shape, which a program may have changed */
    block_free(bound->owner, data);
}

/* ---- regions ---- */

static void *stack_malloc(void *context, size_t bytes)
{
    return region_allocate(((struct bound_handler *)context)->stack, bytes, 0);
}

static void *stack_calloc(void *context, size_t count, size_t bytes)
{
    size_t all;
    return __builtin_mul_overflow(count, bytes, &all)
               ? NULL
               : region_allocate(((struct bound_handler *)context)->stack, all, BLOCK_ZEROED);
}

static void *stack_realloc(void *context, void *data, size_t bytes)
{
    return region_resize(((struct bound_handler *)context)->stack, data, bytes);
}

static void stack_release(void *context, void *data, size_t bytes)
{
    region_free(((struct bound_handler *)context)->stack, data, bytes);
}

/* ---- capsules ---- */

static void end(PyObject *capsule)
{
    struct bound_handler *bound = PyCapsule_GetPointer(capsule, NUMPY_HANDLER);
    if (bound->owner) {
        owner_unref(bound->owner);
    }
    Py_XDECREF(bound->holder);
    free(bound);
}

static PyObject *new_capsule(const struct bound_handler *content)
{
    struct bound_handler *bound = malloc(sizeof *bound);
    if (!bound) {
        return PyErr_NoMemory();
    }
    *bound = *content;
    (void)snprintf(bound->handler.name, sizeof bound->handler.name, "membroker");
    bound->handler.version = 1;
    bound->handler.allocator.context = bound;
    PyObject *capsule = PyCapsule_New(bound, NUMPY_HANDLER, end);
    if (!capsule) {
        free(bound);
        return NULL;
    }
    if (bound->owner) {
        owner_ref(bound->owner);
    }
    Py_XINCREF(bound->holder);
    return capsule;
}

PyObject *handler_of_blocks(struct owner *owner, mb_location location)
{
    const struct numpy_allocator allocator = {NULL, block_malloc, block_calloc, block_realloc, block_release};
    const struct bound_handler content = {.handler = {.allocator = allocator}, .owner = owner, .location = location};
    return new_capsule(&content);
}

PyObject *handler_of_regions(PyObject *holder, struct region_stack *stack)
{
    const struct numpy_allocator allocator = {NULL, stack_malloc, stack_calloc, stack_realloc, stack_release};
    const struct bound_handler content = {.handler = {.allocator = allocator}, .holder = holder, .stack = stack};
    return new_capsule(&content);
}

PyObject *handler_set(PyObject *module, PyObject *capsule)
{
    (void)module;
    return numpy_api_set_handler(capsule);
}

PyObject *handler_call(PyObject *module, PyObject *arguments)
{
    PyObject *capsule, *function, *positional, *keywords;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOO!O!:numpy_call", &capsule, &function, &PyTuple_Type, &positional, &PyDict_Type,
                          &keywords)) {
        return NULL;
    }
    PyObject *former = numpy_api_set_handler(capsule);
    if (!former) {
        return NULL;
    }
    PyObject *result = PyObject_Call(function, positional, keywords);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *own = numpy_api_set_handler(former);
    Py_XDECREF(own);
    Py_DECREF(former);
    PyErr_Restore(type, value, traceback);
    return result;
}
