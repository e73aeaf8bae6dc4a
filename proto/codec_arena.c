/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded memory for encoding and decoding, and the frame at the end. */
#include "proto/codec_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct codec_arena *codec_arena_new(void)
{
    return calloc(1, sizeof(struct codec_arena));
}

static void *arena_take(struct codec_arena *arena, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (rounded < bytes || rounded > sizeof arena->bytes - arena->used) {
        return NULL;
    }
    void *taken = arena->bytes + arena->used;
    arena->used += rounded;
    return taken;
}

void *codec_arena_allocate(struct codec_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : arena_take(arena, bytes);
}

static void *allocator_alloc(void *arena, size_t bytes)
{
    return arena_take(arena, bytes);
}

static void allocator_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

ProtobufCAllocator codec_arena_allocator(struct codec_arena *arena)
{
    return (ProtobufCAllocator){.alloc = allocator_alloc, .free = allocator_free, .allocator_data = arena};
}

int codec_pack(const ProtobufCMessage *message, bool is_short, uint8_t frame[FRAME_BYTES_MAX])
{
    if (!is_short && protobuf_c_message_get_packed_size(message) > MESSAGE_BYTES_MAX) {
        return -EMSGSIZE;
    }
    size_t payload = protobuf_c_message_pack(message, frame + FRAME_HEADER_BYTES);
    frame_write_header(frame, payload);
    return (int)(FRAME_HEADER_BYTES + payload);
}
