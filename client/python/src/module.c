/* SPDX-License-Identifier: Apache-2.0 */
/* The extension module membroker._native. Its state is the process's, so only the main interpreter may import it. */
#include "client/python/src/buffer.h"
#include "client/python/src/client.h"
#include "client/python/src/compat.h"
#include "client/python/src/errors.h"
#include "client/python/src/forks.h"
#include "client/python/src/gil.h"
#include "client/python/src/handler.h"
#include "client/python/src/inherited.h"
#include "client/python/src/install.h"
#include "client/python/src/lease.h"
#include "client/python/src/listing.h"
#include "client/python/src/losses.h"
#include "client/python/src/name_watch.h"
#include "client/python/src/numpy_api.h"
#include "client/python/src/object.h"
#include "client/python/src/published.h"
#include "client/python/src/reclaiming.h"
#include "client/python/src/tensors.h"
#include "client/python/src/view.h"
#include "client/python/src/waiting.h"
#include "client/python/src/workspace.h"

/* ---- functions ---- */

static PyObject *stop(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    losses_stop();
    reclaiming_stop();
    tensors_stop();
    Py_RETURN_NONE;
}

static PyObject *blocks_that_wait(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromSize_t(forks_waiting());
}

static PyObject *watch_inherited(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    inherited_watch();
    losses_hook();
    Py_RETURN_NONE;
}

static PyObject *is_leased(PyObject *module, PyObject *argument)
{
    (void)module;
    const void *address = PyLong_AsVoidPtr(argument);
    return PyErr_Occurred() ? NULL : PyBool_FromLong(mb_lease_from_address(address) != NULL);
}

static PyMethodDef functions[] = {
    {"set_error_factory", METHOD(errors_set_factory), METH_O,
     "set_error_factory(function): function(errno, sentence, figures) makes the exceptions"},
    {"take_failure", METHOD(errors_take_of_thread), METH_NOARGS,
     "What an allocation of this thread failed with, once."},
    {"put", METHOD(object_put), METH_VARARGS, "put(client, name, bytes, lifetime, access, gid)"},
    {"get", METHOD(object_get), METH_VARARGS, "get(client, name, uid): bytes; a uid of -1 is the own user's"},
    {"remove", METHOD(object_remove), METH_VARARGS, "remove(client, name)"},
    {"list_blocks", METHOD(listing_blocks), METH_O, "list_blocks(client): tuples of what BlockInfo has"},
    {"watch", METHOD(name_watch_begin), METH_VARARGS,
     "watch(client, prefix, uid): a capsule; a uid of -1 is the own user's"},
    {"watch_next", METHOD(name_watch_next), METH_VARARGS,
     "watch_next(client, capsule, wait_ms, progress): a change, or None"},
    {"numpy_attach", METHOD(numpy_api_attach), METH_O, "numpy_attach(module): NumPy's extension module"},
    {"numpy_set", METHOD(handler_set), METH_O, "numpy_set(capsule): sets the handler of this context; the former one"},
    {"numpy_call", METHOD(handler_call), METH_VARARGS, "numpy_call(capsule, function, arguments, keywords)"},
    {"numpy_uninstall", METHOD(install_undo), METH_NOARGS, "New arrays have NumPy's own memory again."},
    {"blocks_that_wait", METHOD(blocks_that_wait), METH_NOARGS, "How many blocks wait for forked children."},
    {"watch_inherited", METHOD(watch_inherited), METH_NOARGS,
     "In a forked child: puts the handlers of faults before those that were installed since."},
    {"is_leased", METHOD(is_leased), METH_O, "is_leased(address): whether a lease of this process has it."},
    {"tensors_functions", METHOD(tensors_functions), METH_NOARGS, "The addresses that torch.cc needs."},
    {"tensors_uninstall", METHOD(tensors_uninstall), METH_NOARGS, "New tensors have PyTorch's own memory again."},
    {"stop", METHOD(stop), METH_NOARGS, "The interpreter ends: nothing is raised or collected any more."},
    {NULL, NULL, 0, NULL},
};

/* ---- the module ---- */

static bool is_main_interpreter(void)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) == 0) {
        return true;
    }
    PyErr_SetString(PyExc_ImportError, "membroker works in the main interpreter only, not in subinterpreters");
    return false;
}

static int add_types(PyObject *module)
{
    bool failed = client_add_type(module) < 0 || lease_add_type(module) < 0 || buffer_add_type(module) < 0 ||
                  workspace_add_type(module) < 0 || published_add_type(module) < 0 || view_add_type(module) < 0;
    return failed ? -1 : PyModule_AddStringConstant(module, "library_version", mb_version());
}

static int execute(PyObject *module)
{
    static bool is_ready;
    if (!is_main_interpreter()) {
        return -1;
    }
    if (!is_ready) {
        gil_init();
        losses_init(owner_any_in_use);
        if (forks_init() < 0) {
            PyErr_SetString(PyExc_ImportError, "the handlers of fork() could not be registered");
            return -1;
        }
        is_ready = true;
    }
    return add_types(module);
}

PyMODINIT_FUNC PyInit__native(void);

PyMODINIT_FUNC PyInit__native(void)
{
    static PyModuleDef_Slot slots[] = {{Py_mod_exec, SLOT(execute)}, {0, NULL}};
    static struct PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT,
                                            .m_name = "_native",
                                            .m_doc = "libmembroker for Python. The package membroker is the interface.",
                                            .m_methods = functions,
                                            .m_slots = slots};
    return PyModuleDef_Init(&definition);
}
