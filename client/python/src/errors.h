/* SPDX-License-Identifier: Apache-2.0 */
/* The library's errors as Python's exceptions. With the interpreter's lock, unless a comment says otherwise. */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

enum { SENTENCE_BYTES = 1024 };

/* What the library says of a failed call, kept beyond the thread's next call into the library. */
struct failure {
    int code;             /* negative errno; 0: the call did not fail */
    uint64_t asked_bytes; /* of the block that an allocator was asked for; 0: it was another call */
    bool is_of_block;     /* it is about a published block, not about a lease of the caller */
    mb_end_reason ended;  /* why the block ended; MB_END_NONE: it has not, or there was none */
    bool has_refusal;     /* a limit refused the request, and the library knows the figures */
    mb_refusal refusal;   /* only then */
    char sentence[SENTENCE_BYTES];
};

/* In the thread of the call that returned `code`. No lock. */
void failure_take(struct failure *failure, int code);
void failure_take_of_block(struct failure *failure, int code);

/*
 * set_error_factory(function): function(errno, sentence, figures, ended) returns the exception. `ended` is why the
 * published block has ended that the call was about, or 0; None: it was about no published block. The figures of a
 * refusal are (limit, whose, limit bytes or None, asked, used, free, holders); None: there are none. A holder is
 * (session, name, pid, uid, bytes).
 */
PyObject *errors_set_factory(PyObject *module, PyObject *function);

/* Raises it. Returns NULL. */
PyObject *errors_raise(const struct failure *failure);
PyObject *errors_raise_last(int code);

/* What an allocation of this thread failed with; an allocator can only return NULL. No lock. */
struct failure *errors_of_thread(void);

/* take_failure(): the same as a tuple (errno, sentence, figures, asked bytes), once; None if there is none. */
PyObject *errors_take_of_thread(PyObject *module, PyObject *unused);

/* What a call on a closed client raises. Returns NULL. */
PyObject *errors_raise_closed(void);
