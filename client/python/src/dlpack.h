/* SPDX-License-Identifier: Apache-2.0 */
/* DLPack: a capsule through which other libraries share memory. */
#pragma once

#include "client/python/src/compat.h"

/* A capsule of `bytes` numbers of 8 bits at `data`, in host memory. It keeps `holder` alive. NULL: an exception is set.
 */
PyObject *dlpack_export(PyObject *holder, void *data, size_t bytes);
