/* SPDX-License-Identifier: Apache-2.0 */
/* The type Buffer: a tracked buffer, which other libraries use without a copy. membroker.Buffer
 * derives from it. */
#pragma once

#include "client/python/src/compat.h"

/* Its constructor: Buffer(client, bytes, name, location, zeroed, alignment). */
int buffer_add_type(PyObject *module);
