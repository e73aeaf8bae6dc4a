/* SPDX-License-Identifier: Apache-2.0 */
/* Small objects: put, got and removed as bytes. */
#pragma once

#include "client/python/src/compat.h"

/* put(client, name, bytes, lifetime, access, gid) */
PyObject *object_put(PyObject *module, PyObject *arguments);

/* get(client, name, uid): bytes; a uid of -1 is the own user's */
PyObject *object_get(PyObject *module, PyObject *arguments);

/* remove(client, name) */
PyObject *object_remove(PyObject *module, PyObject *arguments);
