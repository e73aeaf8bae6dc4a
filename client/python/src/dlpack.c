/* SPDX-License-Identifier: Apache-2.0 */
/* The structures of DLPack's ABI before version 1, which every consumer reads. */
#include "client/python/src/dlpack.h"

#include <stdint.h>
#include <stdlib.h>

enum { DEVICE_CPU = 1, TYPE_UNSIGNED = 1 };

struct tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t dimensions;
    uint8_t type_code, type_bits;
    uint16_t type_lanes;
    int64_t *shape, *strides; /* strides NULL: compact */
    uint64_t byte_offset;
};

struct managed_tensor {
    struct tensor tensor;
    void *context;
    void (*deleter)(struct managed_tensor *tensor);
};

struct exported {
    struct managed_tensor managed;
    int64_t shape;
};

/* A consumer may call it in any thread. */
static void delete (struct managed_tensor *managed)
{
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF((PyObject *)managed->context);
    PyGILState_Release(state);
    free(managed);
}

/* A consumer renames the capsule and calls the deleter itself. */
static void delete_capsule(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor")) {
        struct managed_tensor *managed = PyCapsule_GetPointer(capsule, "dltensor");
        managed->deleter(managed);
    }
}

PyObject *dlpack_export(PyObject *holder, void *data, size_t bytes)
{
    struct exported *exported = calloc(1, sizeof *exported);
    if (!exported) {
        return PyErr_NoMemory();
    }
    exported->shape = (int64_t)bytes;
    exported->managed = (struct managed_tensor){.context = holder, .deleter = delete};
    exported->managed.tensor = (struct tensor){.data = data,
                                               .device_type = DEVICE_CPU,
                                               .dimensions = 1,
                                               .type_code = TYPE_UNSIGNED,
                                               .type_bits = 8,
                                               .type_lanes = 1,
                                               .shape = &exported->shape};
    PyObject *capsule = PyCapsule_New(&exported->managed, "dltensor", delete_capsule);
    if (!capsule) {
        free(exported);
        return NULL;
    }
    Py_INCREF(holder);
    return capsule;
}
