/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter's lock. */
#include "client/python/src/gil.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <unistd.h>

/* Not in the limited API, but in every CPython. */
static int (*is_held)(void);

void gil_init(void)
{
    void *found = dlsym(RTLD_DEFAULT, "PyGILState_Check");
    __extension__ is_held = (int (*)(void))found;
}

struct gil gil_drop(void)
{
    bool held = !is_held || is_held();
    return (struct gil){.thread = held ? PyEval_SaveThread() : NULL};
}

void gil_take(struct gil gil)
{
    if (gil.thread) {
        PyEval_RestoreThread(gil.thread);
    }
}

bool gil_is_main_thread(void)
{
    return gettid() == getpid();
}
