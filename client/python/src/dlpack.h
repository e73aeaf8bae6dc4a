/* SPDX-License-Identifier: Apache-2.0 */
/* DLPack: a capsule through which other libraries share memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/python/src/compat.h"

enum { DLPACK_DIMENSIONS_MAX = 64, DLPACK_UNSIGNED = 1 };

struct dlpack_array {
    void *data;
    int type_code, type_bits; /* as DLPack has them */
    int dimensions;
    int64_t shape[DLPACK_DIMENSIONS_MAX];
    bool is_fortran;   /* the first dimension is contiguous, not the last one */
    bool is_read_only; /* only a versioned capsule can say so */
};

/*
 * A capsule of the array, which is in host memory. It keeps `holder` alive. `is_versioned`: as DLPack has it from
 * version 1 on; consumers take only what they ask for. NULL: an exception is set.
 */
PyObject *dlpack_export(PyObject *holder, const struct dlpack_array *array, bool is_versioned);
