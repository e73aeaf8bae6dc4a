/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded memory for decoding and encoding, and what both directions of the codec share. */
#include "proto/codec_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/name.h"

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
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    void *taken = arena_take(arena, bytes);
    if (taken) {
        memset(taken, 0, bytes);
    }
    return taken;
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

int codec_pack(const ProtobufCMessage *message, uint8_t frame[FRAME_BYTES_MAX])
{
    size_t payload = protobuf_c_message_get_packed_size(message);
    if (payload > MESSAGE_BYTES_MAX) {
        return -EMSGSIZE;
    }
    frame_write_header(frame, payload);
    protobuf_c_message_pack(message, frame + FRAME_HEADER_BYTES);
    return (int)(FRAME_HEADER_BYTES + payload);
}

bool codec_copy_name(char *name, const char *text)
{
    if (!text) {
        name[0] = '\0';
        return true;
    }
    if (!name_is_valid(text)) {
        return false;
    }
    memcpy(name, text, strlen(text) + 1);
    return true;
}
