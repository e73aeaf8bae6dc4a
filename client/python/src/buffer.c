/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and exporting. */
#include "client/python/src/buffer.h"
#include "client/python/src/client.h"
#include "client/python/src/dlpack.h"
#include "client/python/src/errors.h"
#include "client/python/src/forks.h"
#include "client/python/src/gil.h"
#include "client/python/src/losses.h"
#include "client/python/src/waiting.h"

struct buffer_object {
    PyObject_HEAD struct owner *owner;
    mb_buffer *buffer;
    uint64_t epoch;
};

static bool read_options(PyObject *arguments, PyObject **ret_client, size_t *ret_bytes, mb_buffer_options *options)
{
    Py_ssize_t bytes, alignment;
    int location, zeroed;
    *options = (mb_buffer_options)MB_BUFFER_OPTIONS_INIT;
    if (!PyArg_ParseTuple(arguments, "Onzipn:Buffer", ret_client, &bytes, &options->name, &location, &zeroed,
                          &alignment)) {
        return false;
    }
    options->location = (mb_location)location;
    options->flags = zeroed ? MB_ZEROED : 0;
    options->alignment = (size_t)alignment;
    *ret_bytes = (size_t)bytes;
    return true;
}

struct request {
    struct owner *owner;
    size_t bytes;
    const mb_buffer_options *options;
    mb_buffer *buffer;
    struct failure *failure;
};

static int ask(void *argument)
{
    struct request *request = argument;
    int result = mb_buffer_create(request->owner->client, request->bytes, request->options, &request->buffer);
    failure_take(request->failure, result);
    losses_hook();
    return result;
}

/* What waits is in a thread of its own, so that signals end it. */
static int ask_interruptibly(struct request *request, enum waiting_end *ret_end)
{
    if (request->owner->wait_ms) {
        const struct waiting_call call = {request->owner, ask, request, request->bytes, request->owner->progress};
        return waiting_run(&call, ret_end);
    }
    struct gil gil = gil_drop();
    int result = ask(request);
    gil_take(gil);
    return result;
}

/* Without the broker. False: it must be asked. */
static bool find_at_once(struct request *request)
{
    mb_buffer_options options = *request->options;
    options.flags |= MB_BUFFER_NO_WAIT;
    return mb_buffer_create(request->owner->client, request->bytes, &options, &request->buffer) == 0;
}

/* NULL: an exception is set. Other threads run meanwhile. */
static mb_buffer *create(struct owner *owner, size_t bytes, const mb_buffer_options *options)
{
    struct failure failure;
    struct request request = {.owner = owner, .bytes = bytes, .options = options, .failure = &failure};
    enum waiting_end end = WAITING_DONE;
    if (owner->wait_ms && find_at_once(&request)) {
        return request.buffer;
    }
    int result = ask_interruptibly(&request, &end);
    if (waiting_succeeded(end, result, &failure)) {
        return request.buffer;
    }
    if (result == 0) {
        (void)mb_buffer_unref(request.buffer);
    }
    return NULL;
}

static PyObject *new_buffer(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    mb_buffer_options options;
    size_t bytes;
    PyObject *client;
    (void)keywords;
    struct owner *owner = read_options(arguments, &client, &bytes, &options) ? client_use(client) : NULL;
    if (!owner) {
        return NULL;
    }
    mb_buffer *buffer = create(owner, bytes, &options);
    if (!buffer) {
        owner_unref(owner);
        return NULL;
    }
    allocfunc allocate = __extension__(allocfunc) PyType_GetSlot(type, Py_tp_alloc);
    struct buffer_object *self = (struct buffer_object *)allocate(type, 0);
    if (!self) {
        (void)mb_buffer_unref(buffer);
        owner_unref(owner);
        return NULL;
    }
    self->owner = owner;
    self->buffer = buffer;
    self->epoch = forks_epoch();
    return (PyObject *)self;
}

static void dealloc(PyObject *object)
{
    struct buffer_object *self = (struct buffer_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    freefunc release_object = __extension__(freefunc) PyType_GetSlot(type, Py_tp_free);
    if (self->owner && !atomic_load(&self->owner->is_inherited)) {
        forks_unref(self->owner, self->buffer, self->epoch);
    }
    release_object(object);
    Py_DECREF(type);
}

/* False: an exception is set. */
static bool check(const struct buffer_object *self)
{
    int result = atomic_load(&self->owner->is_inherited) ? 0 : mb_buffer_check(self->buffer);
    return result == 0 || errors_raise_last(result);
}

static PyObject *check_method(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (!check((struct buffer_object *)object)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int get_buffer(PyObject *object, Py_buffer *view, int flags)
{
    struct buffer_object *self = (struct buffer_object *)object;
    view->obj = NULL;
    if (!check(self)) {
        return -1;
    }
    return PyBuffer_FillInfo(view, object, mb_buffer_data(self->buffer), (Py_ssize_t)mb_buffer_size(self->buffer), 0,
                             flags);
}

static Py_ssize_t length(PyObject *object)
{
    return (Py_ssize_t)mb_buffer_size(((struct buffer_object *)object)->buffer);
}

static PyObject *dlpack(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    struct buffer_object *self = (struct buffer_object *)object;
    (void)arguments; /* streams and devices are for other memory than the host's */
    (void)keywords;
    if (!check(self)) {
        return NULL;
    }
    const struct dlpack_array array = {.data = mb_buffer_data(self->buffer),
                                       .type_code = DLPACK_UNSIGNED,
                                       .type_bits = 8,
                                       .dimensions = 1,
                                       .shape = {length(object)}};
    return dlpack_export(object, &array, false);
}

static PyObject *dlpack_device(PyObject *object, PyObject *unused)
{
    (void)object;
    (void)unused;
    return Py_BuildValue("ii", 1, 0);
}

static PyObject *array_interface(PyObject *object, void *unused)
{
    struct buffer_object *self = (struct buffer_object *)object;
    (void)unused;
    if (!check(self)) {
        return NULL;
    }
    PyObject *address = PyLong_FromVoidPtr(mb_buffer_data(self->buffer));
    return Py_BuildValue("{s:i,s:s,s:(n),s:(NO)}", "version", 3, "typestr", "|u1", "shape", length(object), "data",
                         address, Py_False);
}

static PyObject *location(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong((long)mb_buffer_location(((struct buffer_object *)object)->buffer));
}

static PyMethodDef methods[] = {
    {"check", METHOD(check_method), METH_NOARGS, "Raise LeaseLost if the lease of the buffer has ended. One load."},
    {"__dlpack__", METHOD(dlpack), METH_VARARGS | METH_KEYWORDS, "A DLPack capsule of bytes, without a copy."},
    {"__dlpack_device__", METHOD(dlpack_device), METH_NOARGS, "The host's memory: (1, 0)."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"__array_interface__", array_interface, NULL, "NumPy's array interface, version 3, of bytes.", NULL},
    {"_location", location, NULL, "The number of its location.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int buffer_add_type(PyObject *module)
{
    static char doc[] = "A reference-counted piece of leased memory. Broker.buffer() makes it.";
    static PyType_Slot slots[] = {
        {Py_tp_new, SLOT(new_buffer)},
        {Py_tp_dealloc, SLOT(dealloc)},
        {Py_tp_methods, methods},
        {Py_tp_getset, getters},
        {Py_sq_length, SLOT(length)},
        {Py_bf_getbuffer, SLOT(get_buffer)},
        {Py_tp_doc, doc},
        {0, NULL},
    };
    static PyType_Spec spec = {"membroker._native.Buffer", sizeof(struct buffer_object), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, "Buffer", type) : -1;
}
