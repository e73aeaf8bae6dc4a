/* SPDX-License-Identifier: Apache-2.0 */
/* The type View: a published block that this process has attached. membroker.View derives from it. */
#pragma once

#include "client/python/src/compat.h"

/* Adds the type to the module. Its constructor attaches: View(client, name, uid or -1 for the own user, wait_ms). */
int view_add_type(PyObject *module);
