/* SPDX-License-Identifier: Apache-2.0 */
/* The arena's inner side: for the codec's own files only. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "proto/codec.h"

/* Zeroed memory from the arena, aligned to 16; NULL when it is used up. */
void *codec_arena_allocate(struct codec_arena *arena, size_t count, size_t size);

/* An allocator for protobuf-c that draws on the arena and never frees. */
ProtobufCAllocator codec_arena_allocator(struct codec_arena *arena);

/* Packs any message into a frame. Returns the frame's length or -EMSGSIZE. */
int codec_pack(const ProtobufCMessage *message, uint8_t frame[FRAME_BYTES_MAX]);

/* Copies a decoded string into name[MESSAGE_NAME_SIZE]; NULL is empty. False if it can't be a name. */
bool codec_copy_name(char *name, const char *text);

/* For outgoing strings: sets an optional string field, leaving an empty one out. protobuf-c takes char *, and doesn't
 * write to it. */
static inline char *codec_text(const char *text)
{
    union {
        const char *in;
        char *out;
    } borrowed = {.in = text};
    return text && *text ? borrowed.out : NULL;
}

/* Sets an optional scalar field of a protobuf-c structure. */
#define CODEC_SET(message, field, value)                                                                               \
    do {                                                                                                               \
        (message)->has_##field = 1;                                                                                    \
        (message)->field = (value);                                                                                    \
    } while (0)

/* Allocates and initialises a protobuf-c structure from the arena; leaves the function with false where it is full. */
#define NEW(type, lower, variable)                                                                                     \
    Membroker__V1__##type *variable = codec_arena_allocate(arena, 1, sizeof *variable);                                \
    if (!variable) {                                                                                                   \
        return false;                                                                                                  \
    }                                                                                                                  \
    membroker__v1__##lower##__init(variable)
