/* SPDX-License-Identifier: Apache-2.0 */
/* Exporting and releasing. */
#include "client/python/src/held.h"

#include <string.h>
#include <sys/mman.h>

#include "client/python/src/errors.h"
#include "client/python/src/forks.h"
#include "client/python/src/gil.h"

static struct held *held_of(PyObject *object)
{
    return &((struct held_object *)object)->held;
}

/* ---- life ---- */

PyObject *held_new(PyTypeObject *type, const struct held *held)
{
    allocfunc allocate = __extension__(allocfunc) PyType_GetSlot(type, Py_tp_alloc);
    struct held_object *self = (struct held_object *)allocate(type, 0);
    if (!self) {
        (void)mb_release(held->lease);
        owner_unref(held->owner);
        return NULL;
    }
    self->held = *held;
    self->held.length = held->bytes;
    self->held.epoch = forks_epoch();
    return (PyObject *)self;
}

/* A forked child has only a copy of the record. */
static void end(struct held *held)
{
    struct owner *owner = held->owner;
    held->owner = NULL;
    if (!owner) {
        return;
    }
    if (!atomic_load(&owner->is_inherited)) {
        struct gil gil = gil_drop();
        (void)mb_release_to_zeros(held->lease);
        gil_take(gil);
        held->is_left = true;
    }
    owner_unref(owner);
}

/* No object that refers to this one is left, so nothing but a forked child has the addresses any more. */
static void dealloc(PyObject *object)
{
    struct held *held = held_of(object);
    PyTypeObject *type = Py_TYPE(object);
    freefunc release_object = __extension__(freefunc) PyType_GetSlot(type, Py_tp_free);
    if (held->owner && held->waits_for_children && !atomic_load(&held->owner->is_inherited)) {
        forks_release(held->owner, held->lease, held->epoch);
    } else {
        end(held);
    }
    if (held->is_left) {
        (void)munmap(held->data, held->bytes);
    }
    release_object(object);
    Py_DECREF(type);
}

PyObject *held_release(PyObject *object, PyObject *unused)
{
    struct held *held = held_of(object);
    (void)unused;
    held->is_ending = true;
    if (held->exports == 0) {
        end(held);
    }
    Py_RETURN_NONE;
}

void held_keep(struct held *held)
{
    held->exports++;
}

void held_let_go(struct held *held)
{
    held->exports--;
    if (held->exports == 0 && held->is_ending) {
        end(held);
    }
}

/* ---- use ---- */

bool held_check(const struct held *held)
{
    if (!held->owner || held->is_ending) {
        PyErr_SetString(PyExc_ValueError, "the memory was released");
        return false;
    }
    int result = atomic_load(&held->owner->is_inherited) ? 0 : mb_lease_check(held->lease);
    return result == 0 || errors_raise_last(result);
}

PyObject *held_check_method(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (!held_check(held_of(object))) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int get_buffer(PyObject *object, Py_buffer *view, int flags)
{
    struct held *held = held_of(object);
    view->obj = NULL;
    if (!held_check(held) ||
        PyBuffer_FillInfo(view, object, held->data, (Py_ssize_t)held->length, held->is_read_only, flags) < 0) {
        return -1;
    }
    held_keep(held);
    return 0;
}

static void release_buffer(PyObject *object, Py_buffer *view)
{
    (void)view;
    held_let_go(held_of(object));
}

static Py_ssize_t length(PyObject *object)
{
    return (Py_ssize_t)held_of(object)->length;
}

/* The pages are whole, the content may be less. */
PyObject *held_set_length(PyObject *object, PyObject *argument)
{
    struct held *held = held_of(object);
    unsigned long long length = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (length > held->bytes) {
        PyErr_SetString(PyExc_ValueError, "the block is shorter than that");
        return NULL;
    }
    held->length = length;
    Py_RETURN_NONE;
}

/* ---- properties ---- */

static PyObject *lost_because(PyObject *object, void *unused)
{
    const struct held *held = held_of(object);
    (void)unused;
    mb_end_reason reason =
        held->owner && !atomic_load(&held->owner->is_inherited) ? mb_lease_end_reason(held->lease) : MB_END_NONE;
    if (reason == MB_END_NONE) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(mb_end_reason_text(reason));
}

static PyObject *is_released(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!held_of(object)->owner);
}

static PyObject *is_ending(PyObject *object, void *unused)
{
    const struct held *held = held_of(object);
    (void)unused;
    return PyBool_FromLong(held->owner && held->is_ending);
}

static PyObject *exports(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromSsize_t(held_of(object)->exports);
}

static PyObject *is_read_only(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(held_of(object)->is_read_only);
}

static PyGetSetDef getters[] = {
    {"lost_because", lost_because, NULL, "Why its lease was lost; None: it was not.", NULL},
    {"released", is_released, NULL, "Whether it was given back.", NULL},
    {"_is_ending", is_ending, NULL, "Whether release() was called and a view of the memory still keeps it.", NULL},
    {"_is_read_only", is_read_only, NULL, "Whether its views can only be read.", NULL},
    {"_exports", exports, NULL, "How many views of the memory there are.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- the types ---- */

int held_add_type(PyObject *module, const struct held_type *type)
{
    PyType_Slot slots[] = {
        {Py_tp_new, SLOT(type->make)},
        {Py_tp_dealloc, SLOT(dealloc)},
        {Py_tp_methods, type->methods},
        {Py_tp_getset, getters},
        {Py_sq_length, SLOT(length)},
        {Py_bf_getbuffer, SLOT(get_buffer)},
        {Py_bf_releasebuffer, SLOT(release_buffer)},
        {Py_tp_doc, type->doc},
        {0, NULL},
    };
    PyType_Spec spec = {type->name, (int)type->object_bytes, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    PyObject *made = PyType_FromSpec(&spec);
    return made ? PyModule_AddObject(module, strrchr(type->name, '.') + 1, made) : -1;
}
