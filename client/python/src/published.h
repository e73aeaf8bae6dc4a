/* SPDX-License-Identifier: Apache-2.0 */
/* The type Block: memory that is published, or can be. membroker.Block derives from it. */
#pragma once

#include "client/python/src/compat.h"

/* Adds the type to the module. Its constructor: Block(client, bytes, lifetime, keep_ms, access, gid, replace, type,
 * metadata, wait_ms, huge_pages, location, progress). */
int published_add_type(PyObject *module);
