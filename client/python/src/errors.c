/* SPDX-License-Identifier: Apache-2.0 */
/* A Python function makes the exception; this file calls it. */
#include "client/python/src/errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static PyObject *factory;
static _Thread_local struct failure of_thread;

void failure_take(struct failure *failure, int code, const struct owner *owner)
{
    const char *sentence = mb_last_error();
    failure->code = code;
    failure->session = owner && !atomic_load(&owner->is_inherited) ? mb_client_session(owner->client) : 0;
    (void)snprintf(failure->sentence, sizeof failure->sentence, "%s", sentence[0] ? sentence : strerror(-code));
}

PyObject *errors_set_factory(PyObject *module, PyObject *function)
{
    (void)module;
    Py_INCREF(function);
    Py_XDECREF(factory);
    factory = function;
    Py_RETURN_NONE;
}

PyObject *errors_raise(const struct failure *failure)
{
    PyObject *exception = factory ? PyObject_CallFunction(factory, "isK", -failure->code, failure->sentence,
                                                          (unsigned long long)failure->session)
                                  : NULL;
    if (exception) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_RuntimeError, failure->sentence);
    }
    return NULL;
}

PyObject *errors_raise_last(int code, const struct owner *owner)
{
    struct failure failure;
    failure_take(&failure, code, owner);
    return errors_raise(&failure);
}

struct failure *errors_of_thread(void)
{
    return &of_thread;
}

PyObject *errors_take_of_thread(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    if (of_thread.code == 0) {
        Py_RETURN_NONE;
    }
    int code = -of_thread.code;
    of_thread.code = 0;
    return Py_BuildValue("isK", code, of_thread.sentence, (unsigned long long)of_thread.session);
}

PyObject *errors_raise_closed(void)
{
    PyErr_SetString(PyExc_ValueError, "the broker was closed");
    return NULL;
}
