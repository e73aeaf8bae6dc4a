/* SPDX-License-Identifier: Apache-2.0 */
/* Watching the names of blocks. */
#pragma once

#include "client/python/src/compat.h"

/* watch(client, prefix, uid): a capsule; a uid of -1 is the own user's */
PyObject *name_watch_begin(PyObject *module, PyObject *arguments);

/* watch_next(client, capsule, wait_ms, progress): what happened next, or None. One thread at a time. */
PyObject *name_watch_next(PyObject *module, PyObject *arguments);
