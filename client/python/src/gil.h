/* SPDX-License-Identifier: Apache-2.0 */
/* Dropping the interpreter's lock from code that may run with or without it, as an allocator does. */
#pragma once

#include <stdbool.h>

#include "client/python/src/compat.h"

struct gil {
    PyThreadState *thread; /* NULL: this thread did not have the lock */
};

/* Finds the interpreter's test for the lock, once. */
void gil_init(void);

struct gil gil_drop(void);
void gil_take(struct gil gil);

/* Whether this is the thread in which Python runs the handlers of signals. May be called in one. */
bool gil_is_main_thread(void);
