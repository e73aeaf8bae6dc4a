/* SPDX-License-Identifier: Apache-2.0 */
/* The library's errors as Python's exceptions. With the interpreter's lock, unless a comment says otherwise. */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

enum { SENTENCE_BYTES = 1024 };

/* The sentence of a failed call, kept beyond the thread's next call into the library. */
struct failure {
    int code; /* negative errno; 0: none */
    uint64_t session;
    char sentence[SENTENCE_BYTES];
};

/* Any thread, no lock. */
void failure_take(struct failure *failure, int code, const struct owner *owner);

/* set_error_factory(function): function(errno, sentence, session, socket) returns the exception. */
PyObject *errors_set_factory(PyObject *module, PyObject *function);

/* Raises it. Returns NULL. */
PyObject *errors_raise(const struct failure *failure);
PyObject *errors_raise_last(int code, const struct owner *owner);

/* What an allocation of this thread failed with; an allocator can only return NULL. No lock. */
struct failure *errors_of_thread(void);

/* take_failure(): the same as a tuple (errno, sentence, session), once; None if there is none. */
PyObject *errors_take_of_thread(PyObject *module, PyObject *unused);

/* What a call on a closed client raises. Returns NULL. */
PyObject *errors_raise_closed(void);
