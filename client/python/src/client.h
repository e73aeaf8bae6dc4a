/* SPDX-License-Identifier: Apache-2.0 */
/* The type Client: a session with the broker. */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

int client_add_type(PyObject *module);

/*
 * A use of its owner, which the caller ends with owner_unref(): another thread may close the client meanwhile. NULL: an
 * exception is set (it is no client, or it was closed).
 */
struct owner *client_use(PyObject *object);
