/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block of a heap: a tracked buffer of the library if HEAP_TRACKED is defined, else what the process's malloc()
 * makes. All of it is inline, so that both contestants are compiled the same way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "tests/bench/measure.h"

#ifdef HEAP_TRACKED

#include <membroker.h>

typedef mb_buffer *heap_block;

extern mb_client *heap_client;

static inline heap_block block_make(size_t bytes)
{
    mb_buffer *buffer;
    if (mb_buffer_create(heap_client, bytes, NULL, &buffer) < 0)
        measure_fail("mb_buffer_create", mb_last_error());
    return buffer;
}

static inline heap_block block_make_zeroed(size_t bytes)
{
    mb_buffer *buffer;
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    options.flags = MB_ZEROED;
    if (mb_buffer_create(heap_client, bytes, &options, &buffer) < 0)
        measure_fail("mb_buffer_create", mb_last_error());
    return buffer;
}

static inline heap_block block_resize(heap_block block, size_t bytes)
{
    if (mb_buffer_resize(&block, bytes) < 0)
        measure_fail("mb_buffer_resize", mb_last_error());
    return block;
}

static inline void block_free(heap_block block)
{
    (void)mb_buffer_unref(block);
}

static inline char *block_data(heap_block block)
{
    return mb_buffer_data(block);
}

#else

typedef char *heap_block;

static inline heap_block block_check(void *memory)
{
    if (!memory)
        measure_fail_errno("malloc");
    return memory;
}

static inline heap_block block_make(size_t bytes)
{
    return block_check(malloc(bytes));
}

static inline heap_block block_make_zeroed(size_t bytes)
{
    return block_check(calloc(1, bytes));
}

static inline heap_block block_resize(heap_block block, size_t bytes)
{
    return block_check(realloc(block, bytes));
}

static inline void block_free(heap_block block)
{
    free(block);
}

static inline char *block_data(heap_block block)
{
    return block;
}

#endif
