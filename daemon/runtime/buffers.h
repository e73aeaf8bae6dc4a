/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that messages are encoded in and decoded from: one at a time, on the loop. */
#pragma once

#include <stdlib.h>

#include "proto/codec.h"

struct buffers {
    struct codec_arena *arena;
    uint8_t sent[FRAME_BYTES_MAX];
    uint8_t received[FRAME_BYTES_MAX + 1]; /* one more, so that an oversized packet is noticed */
};

/* False: out of memory. */
static inline bool buffers_init(struct buffers *buffers)
{
    buffers->arena = codec_arena_new();
    return buffers->arena;
}

static inline void buffers_deinit(struct buffers *buffers)
{
    free(buffers->arena);
}
