/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners whose blocks an allocator of the whole process may hold, NumPy's or PyTorch's. Each keeps a use for ever. With
 * the interpreter's lock, but known_of() and known_free() in any thread.
 */
#pragma once

#include "client/python/src/owner.h"

/* May be called again with the same one. False: an exception is set. */
bool known_add(struct owner *owner);

/* The owner whose block has that address; NULL: none has. In a forked child none of its parent's. */
struct owner *known_of(const void *data);

/* Frees the block with that address; what a forked child inherited stays, as it is its parent's. False: it is neither.
 */
bool known_free(void *data);
