/* SPDX-License-Identifier: Apache-2.0 */
/* The type Lease: a lease whose memory is a buffer of bytes. membroker.Lease derives from it. */
#pragma once

#include "client/python/src/compat.h"

/* Adds the type to the module. Its constructor acquires: Lease(client, bytes, location, ttl_ms, name, huge_pages,
 * numa_node, prefault, file, wait_ms, interleave, progress). */
int lease_add_type(PyObject *module);
