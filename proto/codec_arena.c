/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded memory for encoding and decoding, and the frame at the end. */
#include "proto/codec_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void codec_arena_empty(struct codec_arena *arena)
{
    arena->used = 0;
    arena->ran_out = false;
}

struct codec_arena *codec_arena_new_limited(size_t limit)
{
    struct codec_arena *arena = malloc(offsetof(struct codec_arena, bytes) + limit);
    if (arena) {
        arena->limit = limit;
        codec_arena_empty(arena);
    }
    return arena;
}

struct codec_arena *codec_arena_new(void)
{
    return codec_arena_new_limited(CODEC_ARENA_BYTES);
}

static void *arena_take(struct codec_arena *arena, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    size_t limit = arena->limit ? arena->limit : sizeof arena->bytes;
    if (rounded < bytes || rounded > limit - arena->used) {
        arena->ran_out = true;
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

int codec_pack(const ProtobufCMessage *message, bool is_short, uint8_t *frame)
{
    if (!is_short && protobuf_c_message_get_packed_size(message) > MESSAGE_BYTES_MAX) {
        return -EMSGSIZE;
    }
    size_t payload = protobuf_c_message_pack(message, frame + FRAME_HEADER_BYTES);
    frame_write_header(frame, payload);
    return (int)(FRAME_HEADER_BYTES + payload);
}
