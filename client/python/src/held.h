/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a lease, a block and a view have in common as Python's objects: memory that is exported as a buffer of bytes,
 * and given back when nothing has its addresses any more. With the interpreter's lock.
 */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

struct held {
    struct owner *owner; /* NULL: released */
    mb_lease *lease;
    void *data;
    uint64_t bytes;     /* that are mapped */
    uint64_t length;    /* that are exported */
    Py_ssize_t exports; /* views of the memory */
    uint64_t epoch;     /* see forks.h */
    bool is_read_only;
    bool waits_for_children; /* that read the memory, when the last reference to it goes */
    bool is_ending;          /* release() was called; the last view ends it */
    bool is_left;            /* zeros are there, as NumPy may have the addresses without a view */
};

/* How the objects of all these types begin. */
struct held_object {
    PyObject_HEAD struct held held;
};

/*
 * An object of that type, which takes the owner's use and the lease of `held`, also if it fails. All bytes are
 * exported. NULL: an exception is set.
 */
PyObject *held_new(PyTypeObject *type, const struct held *held);

/* Raises LeaseLost, or ValueError if it was released. False: an exception is set. */
bool held_check(const struct held *held);

/* In C, as the buffer protocol does: between the two the memory stays. */
void held_keep(struct held *held);
void held_let_go(struct held *held);

/* ---- the types ---- */

struct held_type {
    const char *name; /* with the module's */
    size_t object_bytes;
    newfunc make;
    PyMethodDef *methods; /* static */
    char *doc;
};

/*
 * Adds the type to the module, with the buffer protocol and the attributes lost_because, released, _is_ending,
 * _is_read_only and _exports.
 */
int held_add_type(PyObject *module, const struct held_type *type);

/* Methods for it. */
PyObject *held_release(PyObject *object, PyObject *unused);
PyObject *held_check_method(PyObject *object, PyObject *unused);
PyObject *held_set_length(PyObject *object, PyObject *argument); /* how many bytes are exported */
