/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that may wait long: signals end them, other threads run meanwhile, and a callback shows the progress. */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

/* Runs in a thread of its own, without the interpreter's lock. Returns 0 or negative errno, and keeps the sentence. */
typedef int waiting_work(void *argument);

/*
 * Runs `work` and waits for it. `progress` (NULL: none) is called with the seconds so far, about 20 times a second; an
 * exception of it, or of a signal's handler, cancels the waits of this client. Returns what `work` returned. Sets
 * *ret_interrupted if there is an exception; the work may have succeeded even so. With the interpreter's lock.
 */
int waiting_run(struct owner *owner, waiting_work *work, void *argument, PyObject *progress, bool *ret_interrupted);

/* set_progress(callable): what allocations call while they wait; None: nothing. */
PyObject *waiting_set_progress(PyObject *module, PyObject *callable);
PyObject *waiting_progress(void);
