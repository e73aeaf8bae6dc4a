/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a heap does after a loss. A cache takes a freed buffer with its heap's tag without a look at its lease, so the
 * heap takes another tag when one of its chunks is lost. The lease of a freed buffer with an older tag is looked at.
 */
#pragma once

#include "client/buffer/heap.h"

/* Which buffers are known to be valid: those with this tag, as long as the client has this epoch. */
struct known_valid {
    uint64_t epoch;
    uint16_t tag; /* TAG_NONE: there is no other tag left, so no thread caches the heap's buffers from here on */
};

/* Notes what was lost since the last call, and withdraws it from the heap. Takes the heap's lock. */
struct known_valid losses_note(struct heap *heap);
