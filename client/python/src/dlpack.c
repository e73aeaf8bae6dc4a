/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structures of DLPack's ABI, before version 1 and from it on. The library has the latter for itself
 * (client/block/dlpack.c): its headers leave them to <dlpack/dlpack.h>, which a program may include beside them.
 */
#include "client/python/src/dlpack.h"

#include <stdlib.h>

enum { DEVICE_CPU = 1, MAJOR = 1, MINOR = 0, READ_ONLY = 1 };

struct tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t dimensions;
    uint8_t type_code, type_bits;
    uint16_t type_lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
};

struct managed_tensor {
    struct tensor tensor;
    void *context;
    void (*deleter)(struct managed_tensor *tensor);
};

struct versioned_tensor {
    uint32_t major, minor;
    void *context;
    void (*deleter)(struct versioned_tensor *tensor);
    uint64_t flags;
    struct tensor tensor;
};

_Static_assert(sizeof(struct tensor) == 48 && sizeof(struct managed_tensor) == 64 &&
                   sizeof(struct versioned_tensor) == 80,
               "DLPack's ABI");

struct exported {
    union {
        struct managed_tensor managed;
        struct versioned_tensor versioned;
    };
    PyObject *holder;
    int64_t shape[DLPACK_DIMENSIONS_MAX], strides[DLPACK_DIMENSIONS_MAX];
};

/* ---- the end: a consumer may call it in any thread ---- */

static void end(struct exported *exported)
{
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF(exported->holder);
    PyGILState_Release(state);
    free(exported);
}

static void delete_managed(struct managed_tensor *managed)
{
    end(managed->context);
}

static void delete_versioned(struct versioned_tensor *versioned)
{
    end(versioned->context);
}

/* A consumer renames the capsule and calls the deleter itself. */
#define NAME           "dltensor"
#define VERSIONED_NAME "dltensor_versioned"

static void delete_capsule(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, NAME)) {
        end(((struct managed_tensor *)PyCapsule_GetPointer(capsule, NAME))->context);
    } else if (PyCapsule_IsValid(capsule, VERSIONED_NAME)) {
        end(((struct versioned_tensor *)PyCapsule_GetPointer(capsule, VERSIONED_NAME))->context);
    }
}

/* ---- the beginning ---- */

static void set_strides(const struct dlpack_array *array, struct exported *exported)
{
    int64_t stride = 1;
    for (int i = 0; i < array->dimensions; i++) {
        int at = array->is_fortran ? i : array->dimensions - 1 - i;
        exported->shape[at] = array->shape[at];
        exported->strides[at] = stride;
        /* if another length is 0, this may be more than a number holds, and no element is there */
        stride = (int64_t)((uint64_t)stride * (uint64_t)array->shape[at]);
    }
}

static struct tensor tensor_of(const struct dlpack_array *array, struct exported *exported)
{
    set_strides(array, exported);
    return (struct tensor){.data = array->data,
                           .device_type = DEVICE_CPU,
                           .dimensions = array->dimensions,
                           .type_code = (uint8_t)array->type_code,
                           .type_bits = (uint8_t)array->type_bits,
                           .type_lanes = 1,
                           .shape = exported->shape,
                           .strides = exported->strides};
}

PyObject *dlpack_export(PyObject *holder, const struct dlpack_array *array, bool is_versioned)
{
    struct exported *exported = calloc(1, sizeof *exported);
    if (!exported) {
        return PyErr_NoMemory();
    }
    if (is_versioned) {
        exported->versioned = (struct versioned_tensor){.major = MAJOR,
                                                        .minor = MINOR,
                                                        .context = exported,
                                                        .deleter = delete_versioned,
                                                        .flags = array->is_read_only ? READ_ONLY : 0,
                                                        .tensor = tensor_of(array, exported)};
    } else {
        exported->managed = (struct managed_tensor){
            .tensor = tensor_of(array, exported), .context = exported, .deleter = delete_managed};
    }
    PyObject *capsule = PyCapsule_New(exported, is_versioned ? VERSIONED_NAME : NAME, delete_capsule);
    if (!capsule) {
        free(exported);
        return NULL;
    }
    Py_INCREF(holder);
    exported->holder = holder;
    return capsule;
}
