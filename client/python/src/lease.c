/* SPDX-License-Identifier: Apache-2.0 */
/* Acquiring, exporting and releasing. */
#include "client/python/src/lease.h"

#include <errno.h>
#include <sys/mman.h>

#include "client/python/src/acquire.h"
#include "client/python/src/client.h"
#include "client/python/src/errors.h"
#include "client/python/src/gil.h"

struct lease_object {
    PyObject_HEAD struct owner *owner; /* NULL: released */
    mb_lease *lease;
    void *data;
    uint64_t bytes;
    Py_ssize_t exports; /* views of the memory */
    bool is_ending;     /* release() was called; the last view ends it */
    bool is_left;       /* zeros are there, as NumPy may have the addresses without a view */
};

/* ---- life ---- */

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
    allocfunc allocate = __extension__(allocfunc) PyType_GetSlot(type, Py_tp_alloc);
    struct lease_object *self = (struct lease_object *)allocate(type, 0);
    if (!self) {
        (void)mb_release(acquired.lease);
        owner_unref(owner);
        return NULL;
    }
    self->owner = owner;
    self->lease = acquired.lease;
    self->data = acquired.data;
    self->bytes = acquired.bytes;
    return (PyObject *)self;
}

/* A forked child has only a copy of the record. */
static void end(struct lease_object *self)
{
    struct owner *owner = self->owner;
    self->owner = NULL;
    if (!owner) {
        return;
    }
    if (!atomic_load(&owner->is_inherited)) {
        struct gil gil = gil_drop();
        (void)mb_release_to_zeros(self->lease);
        gil_take(gil);
        self->is_left = true;
    }
    owner_unref(owner);
}

/* No object that refers to this one is left, so nothing has the addresses any more. */
static void dealloc(PyObject *object)
{
    struct lease_object *self = (struct lease_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    freefunc release_object = __extension__(freefunc) PyType_GetSlot(type, Py_tp_free);
    end(self);
    if (self->is_left) {
        (void)munmap(self->data, self->bytes);
    }
    release_object(object);
    Py_DECREF(type);
}

static PyObject *release(PyObject *object, PyObject *unused)
{
    struct lease_object *self = (struct lease_object *)object;
    (void)unused;
    self->is_ending = true;
    if (self->exports == 0) {
        end(self);
    }
    Py_RETURN_NONE;
}

/* ---- use ---- */

/* False: an exception is set. */
static bool check(const struct lease_object *self)
{
    if (!self->owner || self->is_ending) {
        PyErr_SetString(PyExc_ValueError, "the lease was released");
        return false;
    }
    int result = atomic_load(&self->owner->is_inherited) ? 0 : mb_lease_check(self->lease);
    return result == 0 || errors_raise_last(result);
}

static PyObject *check_method(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (!check((struct lease_object *)object)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int get_buffer(PyObject *object, Py_buffer *view, int flags)
{
    struct lease_object *self = (struct lease_object *)object;
    view->obj = NULL;
    if (!check(self) || PyBuffer_FillInfo(view, object, self->data, (Py_ssize_t)self->bytes, 0, flags) < 0) {
        return -1;
    }
    self->exports++;
    return 0;
}

static void release_buffer(PyObject *object, Py_buffer *view)
{
    struct lease_object *self = (struct lease_object *)object;
    (void)view;
    self->exports--;
    if (self->exports == 0 && self->is_ending) {
        end(self);
    }
}

static Py_ssize_t length(PyObject *object)
{
    return (Py_ssize_t)((struct lease_object *)object)->bytes;
}

static PyObject *report_use(PyObject *object, PyObject *argument)
{
    struct lease_object *self = (struct lease_object *)object;
    unsigned long long bytes = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || !check(self)) {
        return NULL;
    }
    mb_lease_report_use(self->lease, bytes);
    Py_RETURN_NONE;
}

/* ---- properties ---- */

/* Those of the library's record end with the lease. */
static PyObject *properties(PyObject *object, PyObject *unused)
{
    const struct lease_object *self = (const struct lease_object *)object;
    (void)unused;
    if (!self->owner) {
        Py_RETURN_NONE;
    }
    const mb_lease *lease = self->lease;
    return Py_BuildValue("KiIiK", (unsigned long long)mb_lease_id(lease), (int)mb_lease_location(lease),
                         (unsigned)mb_lease_ttl(lease), mb_lease_has_huge_pages(lease),
                         (unsigned long long)mb_lease_file_bytes(lease));
}

static PyObject *lost_because(PyObject *object, void *unused)
{
    const struct lease_object *self = (const struct lease_object *)object;
    (void)unused;
    mb_end_reason reason =
        self->owner && !atomic_load(&self->owner->is_inherited) ? mb_lease_end_reason(self->lease) : MB_END_NONE;
    if (reason == MB_END_NONE) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(mb_end_reason_text(reason));
}

static PyObject *is_released(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!((struct lease_object *)object)->owner);
}

static PyObject *is_ending(PyObject *object, void *unused)
{
    const struct lease_object *self = (const struct lease_object *)object;
    (void)unused;
    return PyBool_FromLong(self->owner && self->is_ending);
}

static PyMethodDef methods[] = {
    {"release", METHOD(release), METH_NOARGS,
     "Release the lease now, or when the last view of its memory is gone. May be called again."},
    {"check", METHOD(check_method), METH_NOARGS, "Raise LeaseLost if the lease has ended. One load, no message."},
    {"report_use", METHOD(report_use), METH_O, "Report how many bytes are in use, for listings."},
    {"_properties", METHOD(properties), METH_NOARGS, "(id, location, ttl in ms, huge pages, bytes of its file)"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"lost_because", lost_because, NULL, "Why the lease was lost; None: it was not.", NULL},
    {"released", is_released, NULL, "Whether the lease was given back.", NULL},
    {"_is_ending", is_ending, NULL, "Whether release() was called and a view still keeps the lease.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int lease_add_type(PyObject *module)
{
    static char doc[] = "Leased memory. Broker.acquire() makes it.";
    static PyType_Slot slots[] = {
        {Py_tp_new, SLOT(new_lease)},
        {Py_tp_dealloc, SLOT(dealloc)},
        {Py_tp_methods, methods},
        {Py_tp_getset, getters},
        {Py_sq_length, SLOT(length)},
        {Py_bf_getbuffer, SLOT(get_buffer)},
        {Py_bf_releasebuffer, SLOT(release_buffer)},
        {Py_tp_doc, doc},
        {0, NULL},
    };
    static PyType_Spec spec = {"membroker._native.Lease", sizeof(struct lease_object), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, "Lease", type) : -1;
}
