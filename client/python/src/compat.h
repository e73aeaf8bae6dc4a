/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limited API of CPython 3.9, and what it lacks: buffers are in it from 3.11 on, but have been the same since 3.9.
 */
#pragma once

#define Py_LIMITED_API 0x03090000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifndef Py_bf_getbuffer
#define Py_bf_getbuffer     1
#define Py_bf_releasebuffer 2
#endif

#ifndef PyBUF_WRITABLE
typedef struct {
    void *buf;
    PyObject *obj;
    Py_ssize_t len, itemsize;
    int readonly, ndim;
    char *format;
    Py_ssize_t *shape, *strides, *suboffsets;
    void *internal;
} Py_buffer;

PyAPI_FUNC(int)
    PyBuffer_FillInfo(Py_buffer *view, PyObject *exporter, void *memory, Py_ssize_t bytes, int readonly, int flags);
#endif

/* For a method table: functions with keywords or without arguments have other types. */
#define METHOD(function) ((PyCFunction)(void (*)(void))(function))
/* For the slots of a type: ISO C has no conversion between functions and objects, POSIX has. */
#define SLOT(function) (__extension__(void *)(function))
