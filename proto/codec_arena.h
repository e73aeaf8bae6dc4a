/* SPDX-License-Identifier: Apache-2.0 */
/* The arena's inner side: for the codec's own files only. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "proto/codec.h"

/* A coding begins. */
void codec_arena_empty(struct codec_arena *arena);

/* Memory from the arena, aligned to 16 and not zeroed; NULL if the arena is used up. */
void *codec_arena_allocate(struct codec_arena *arena, size_t count, size_t size);

/* An allocator for protobuf-c that draws on the arena and never frees. */
ProtobufCAllocator codec_arena_allocator(struct codec_arena *arena);

/* Packs a message into a frame, unmeasured if it is short. Returns the frame's length or -EMSGSIZE. */
int codec_pack(const ProtobufCMessage *message, bool is_short, uint8_t *frame);
