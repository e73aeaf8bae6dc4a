/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for PyTorch's tensors. PyTorch's allocator is a C++ class, which torch.cc has; it calls these functions, which
 * it gets as addresses. Any thread may call them, with or without the interpreter's lock.
 */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

/* New tensors are in that owner's memory. False: an exception is set. */
bool tensors_install(struct owner *owner, mb_location location);

/* tensors_uninstall(): new tensors have PyTorch's own memory again. */
PyObject *tensors_uninstall(PyObject *module, PyObject *unused);

/*
 * tensors_functions(): the addresses of
 *   int is_active(void)             whether tensors are leased; not in a forked child
 *   void *allocate(size_t bytes)    aligned to 64 bytes; NULL: refused
 *   int release(void *data)         false: the memory is none of ours
 *   const char *refusal(int *code)  why this thread's last allocate() failed, until its next; `code`: an errno
 */
PyObject *tensors_functions(PyObject *module, PyObject *unused);

/* The interpreter ends. */
void tensors_stop(void);
