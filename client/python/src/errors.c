/* SPDX-License-Identifier: Apache-2.0 */
/* A Python function makes the exception; this file calls it. */
#include "client/python/src/errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static PyObject *factory;
static _Thread_local struct failure of_thread;

void failure_take(struct failure *failure, int code)
{
    failure->code = code;
    failure->asked_bytes = 0;
    failure->is_of_block = false;
    failure->has_refusal = false;
    failure->sentence[0] = '\0';
    if (code < 0) {
        const char *sentence = mb_last_error();
        (void)snprintf(failure->sentence, sizeof failure->sentence, "%s", sentence[0] ? sentence : strerror(-code));
        failure->refusal = (mb_refusal)MB_REFUSAL_INIT;
        failure->has_refusal = mb_last_refusal(&failure->refusal) == 0;
    }
}

void failure_take_of_block(struct failure *failure, int code)
{
    failure_take(failure, code);
    failure->is_of_block = true;
    failure->ended = mb_last_end_reason();
}

/* ---- figures ---- */

static PyObject *holders_of(const mb_refusal *refusal)
{
    PyObject *list = PyList_New((Py_ssize_t)refusal->holder_count);
    for (unsigned i = 0; list && i < refusal->holder_count; i++) {
        const mb_holder *holder = &refusal->holders[i];
        PyObject *item = Py_BuildValue("KsiIK", (unsigned long long)holder->session, holder->name, (int)holder->pid,
                                       (unsigned)holder->uid, (unsigned long long)holder->bytes);
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *limit_of(const mb_refusal *refusal)
{
    if (refusal->limit_bytes == UINT64_MAX) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLongLong(refusal->limit_bytes);
}

/* A new reference. NULL: an exception is set. */
static PyObject *figures_of(const struct failure *failure)
{
    const mb_refusal *refusal = &failure->refusal;
    if (!failure->has_refusal) {
        Py_RETURN_NONE;
    }
    return Py_BuildValue("ssNKKKNN", refusal->limit, refusal->whose, limit_of(refusal),
                         (unsigned long long)refusal->asked_bytes, (unsigned long long)refusal->used_bytes,
                         (unsigned long long)refusal->free_bytes, PyBool_FromLong(mb_refusal_may_fit_later(refusal)),
                         holders_of(refusal));
}

/* ---- exceptions ---- */

PyObject *errors_set_factory(PyObject *module, PyObject *function)
{
    (void)module;
    Py_INCREF(function);
    Py_XDECREF(factory);
    factory = function;
    Py_RETURN_NONE;
}

/* A new reference. NULL: an exception is set. */
static PyObject *ended_of(const struct failure *failure)
{
    if (!failure->is_of_block) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLong((long)failure->ended);
}

PyObject *errors_raise(const struct failure *failure)
{
    PyObject *exception = factory ? PyObject_CallFunction(factory, "isNN", -failure->code, failure->sentence,
                                                          figures_of(failure), ended_of(failure))
                                  : NULL;
    if (exception) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_RuntimeError, failure->sentence);
    }
    return NULL;
}

PyObject *errors_raise_last(int code)
{
    struct failure failure;
    failure_take(&failure, code);
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
    return Py_BuildValue("isNK", code, of_thread.sentence, figures_of(&of_thread),
                         (unsigned long long)of_thread.asked_bytes);
}

PyObject *errors_raise_closed(void)
{
    PyErr_SetString(PyExc_ValueError, "the broker was closed");
    return NULL;
}
