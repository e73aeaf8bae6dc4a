/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers that give NumPy's arrays leased memory. */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"
#include "client/python/src/region.h"

/* A capsule with a handler of blocks. Each array keeps it. NULL: an exception is set. */
PyObject *handler_of_blocks(struct owner *owner, mb_location location);

/* The same for a workspace; `holder` has the stack, and the handler keeps it alive. */
PyObject *handler_of_regions(PyObject *holder, struct region_stack *stack);

/* numpy_set(capsule): the former handler. */
PyObject *handler_set(PyObject *module, PyObject *capsule);

/* numpy_call(capsule, function, arguments, keywords): calls it with that handler. */
PyObject *handler_call(PyObject *module, PyObject *arguments);
