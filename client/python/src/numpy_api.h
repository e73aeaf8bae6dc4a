/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's C interface to the memory of arrays (NEP 49), found at run time: nothing of NumPy is needed to build. */
#pragma once

#include <stdint.h>

#include "client/python/src/compat.h"

struct numpy_allocator {
    void *context;
    void *(*malloc)(void *context, size_t bytes);
    void *(*calloc)(void *context, size_t count, size_t bytes);
    void *(*realloc)(void *context, void *data, size_t bytes);
    void (*free)(void *context, void *data, size_t bytes);
};

struct numpy_handler {
    char name[127];
    uint8_t version;
    struct numpy_allocator allocator;
};

#define NUMPY_HANDLER "mem_handler" /* the name of its capsules */

/* numpy_attach(module): `module` is NumPy's extension module, which has _ARRAY_API. */
PyObject *numpy_api_attach(PyObject *module, PyObject *umath);

/* Sets the handler of this thread's context. Returns a new reference to the former one. NULL: an exception is set. */
PyObject *numpy_api_set_handler(PyObject *capsule);

/* The handler of contexts that have none. NULL: an exception is set. */
struct numpy_handler *numpy_api_default(void);
