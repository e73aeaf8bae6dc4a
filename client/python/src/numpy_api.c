/* SPDX-License-Identifier: Apache-2.0 */
/* The table of NumPy's functions. The numbers are the same in all versions from 1.22 on. */
#include "client/python/src/numpy_api.h"

enum { FEATURE_VERSION = 211, SET_HANDLER = 304, DEFAULT_HANDLER = 306, FEATURES_OF_1_22 = 0xf };

static void **table;

PyObject *numpy_api_attach(PyObject *module, PyObject *umath)
{
    (void)module;
    PyObject *capsule = PyObject_GetAttrString(umath, "_ARRAY_API");
    void **found = capsule ? PyCapsule_GetPointer(capsule, NULL) : NULL;
    Py_XDECREF(capsule);
    if (!found) {
        return NULL;
    }
    unsigned (*features)(void) = __extension__(unsigned (*)(void)) found[FEATURE_VERSION];
    if (features() < FEATURES_OF_1_22) {
        PyErr_SetString(PyExc_ImportError, "membroker needs NumPy 1.22 or later: older ones have no memory handlers");
        return NULL;
    }
    table = found;
    Py_RETURN_NONE;
}

PyObject *numpy_api_set_handler(PyObject *capsule)
{
    if (!table) {
        PyErr_SetString(PyExc_RuntimeError, "NumPy is not attached");
        return NULL;
    }
    PyObject *(*set)(PyObject *) = __extension__(PyObject * (*)(PyObject *)) table[SET_HANDLER];
    return set(capsule);
}

struct numpy_handler *numpy_api_default(void)
{
    PyObject *const *capsule = table ? table[DEFAULT_HANDLER] : NULL;
    if (!capsule) {
        PyErr_SetString(PyExc_RuntimeError, "NumPy is not attached");
        return NULL;
    }
    return PyCapsule_GetPointer(*capsule, NUMPY_HANDLER);
}
