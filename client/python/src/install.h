/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leased memory for all arrays of the process. A context that has no handler, as a new thread's, uses NumPy's default
 * one; its functions are replaced. Arrays that were made before are still freed by NumPy's own.
 */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

/* False: an exception is set. */
bool install_default(struct owner *owner, mb_location location);

/* numpy_uninstall(): new arrays have NumPy's own memory again. */
PyObject *install_undo(PyObject *module, PyObject *unused);
