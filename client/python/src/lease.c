/* SPDX-License-Identifier: Apache-2.0 */
/* Acquiring, and what only leases have. */
#include "client/python/src/lease.h"

#include "client/python/src/acquire.h"
#include "client/python/src/client.h"
#include "client/python/src/errors.h"
#include "client/python/src/held.h"

/* ---- acquiring ---- */

struct wish {
    uint64_t bytes;
    mb_lease_options options;
    PyObject *progress; /* borrowed; NULL: none */
};

static bool read_wish(PyObject *arguments, PyObject **ret_client, struct wish *wish)
{
    unsigned long long bytes;
    unsigned ttl, wait;
    int location, huge, node, prefault, interleave;
    PyObject *progress;
    wish->options = (mb_lease_options)MB_LEASE_OPTIONS_INIT;
    if (!PyArg_ParseTuple(arguments, "OKiIziipzIpO:Lease", ret_client, &bytes, &location, &ttl, &wish->options.name,
                          &huge, &node, &prefault, &wish->options.file, &wait, &interleave, &progress)) {
        return false;
    }
    wish->bytes = bytes;
    wish->options.location = (mb_location)location;
    wish->options.ttl_ms = ttl;
    wish->options.huge_pages = (mb_huge_pages)huge;
    wish->options.numa_node = node;
    wish->options.prefault = prefault;
    wish->options.wait_ms = wait;
    wish->options.interleave = interleave;
    wish->progress = progress == Py_None ? NULL : progress;
    return true;
}

static PyObject *new_lease(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    struct acquired acquired;
    struct wish wish;
    PyObject *client;
    (void)keywords;
    struct owner *owner = read_wish(arguments, &client, &wish) ? client_use(client) : NULL;
    if (!owner) {
        return NULL;
    }
    if (!acquire(owner, wish.bytes, &wish.options, wish.progress, &acquired)) {
        owner_unref(owner);
        return NULL;
    }
    const struct held held = {.owner = owner, .lease = acquired.lease, .data = acquired.data, .bytes = acquired.bytes};
    return held_new(type, &held);
}

/* ---- use ---- */

static PyObject *report_use(PyObject *object, PyObject *argument)
{
    const struct held *held = &((struct held_object *)object)->held;
    unsigned long long bytes = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || !held_check(held)) {
        return NULL;
    }
    mb_lease_report_use(held->lease, bytes);
    Py_RETURN_NONE;
}

/* ---- properties ---- */

/* Those of the library's record end with the lease. */
static PyObject *properties(PyObject *object, PyObject *unused)
{
    const struct held *held = &((struct held_object *)object)->held;
    (void)unused;
    if (!held->owner) {
        Py_RETURN_NONE;
    }
    const mb_lease *lease = held->lease;
    return Py_BuildValue("KiIiK", (unsigned long long)mb_lease_id(lease), (int)mb_lease_location(lease),
                         (unsigned)mb_lease_ttl(lease), mb_lease_has_huge_pages(lease),
                         (unsigned long long)mb_lease_file_bytes(lease));
}

static PyMethodDef methods[] = {
    {"release", METHOD(held_release), METH_NOARGS,
     "Release the lease now, or when the last view of its memory is gone. May be called again."},
    {"check", METHOD(held_check_method), METH_NOARGS, "Raise LeaseLost if the lease has ended. One load, no message."},
    {"report_use", METHOD(report_use), METH_O, "Report how many bytes are in use, for listings."},
    {"_properties", METHOD(properties), METH_NOARGS, "(id, location, ttl in ms, huge pages, bytes of its file)"},
    {NULL, NULL, 0, NULL},
};

int lease_add_type(PyObject *module)
{
    static char doc[] = "Leased memory. Broker.acquire() makes it.";
    const struct held_type type = {"membroker._native.Lease", sizeof(struct held_object), new_lease, methods, doc};
    return held_add_type(module, &type);
}
