/* SPDX-License-Identifier: Apache-2.0 */
/* The type Workspace: a stack of regions. The policy of sizes is in the typed layer. */
#pragma once

#include "client/python/src/compat.h"

int workspace_add_type(PyObject *module);
