/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded memory for decoding and encoding, and what both directions of the codec share. */
#include "proto/codec_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct codec_arena *codec_arena_new(void)
{
    struct codec_arena *arena = malloc(sizeof *arena);
    if (arena) {
        arena->used = 0;
    }
    return arena;
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

/* The length of the UTF-8 sequence that a byte begins; 0 if it begins none. */
static size_t utf8_length(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first < 0xe0) {
        return 2;
    }
    if (first >= 0xe0 && first < 0xf0) {
        return 3;
    }
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Decodes the sequence at `text`; UINT32_MAX if it is malformed, overlong or a surrogate. */
static uint32_t utf8_decode(const unsigned char *text, size_t length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (length < 2) {
        return length == 1 ? text[0] : UINT32_MAX;
    }
    uint32_t value = text[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return UINT32_MAX;
        }
        value = value << 6 | (text[i] & 0x3fu);
    }
    bool surrogate = value >= 0xd800 && value < 0xe000;
    return value < least[length] || value > 0x10ffff || surrogate ? UINT32_MAX : value;
}

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

/* What shows nothing itself, and makes a line read as another: separators, joiners, marks and orders of direction. */
static bool is_invisible(uint32_t character)
{
    return (character >= 0x200b && character <= 0x200f) || (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2060 && character <= 0x206f) || character == 0xfeff;
}

bool codec_name_is_valid(const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    if (strnlen(name, MESSAGE_NAME_SIZE) == MESSAGE_NAME_SIZE) {
        return false;
    }
    while (*at) {
        size_t length = utf8_length(*at);
        uint32_t character = utf8_decode(at, length);
        if (character == UINT32_MAX || is_control(character) || is_invisible(character)) {
            return false;
        }
        at += length;
    }
    return true;
}

bool codec_copy_name(char *name, const char *text)
{
    if (!text) {
        name[0] = '\0';
        return true;
    }
    if (!codec_name_is_valid(text)) {
        return false;
    }
    memcpy(name, text, strlen(text) + 1);
    return true;
}
