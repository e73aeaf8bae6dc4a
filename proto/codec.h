/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec: messages (message.h) to frames and back, by protobuf. Both sides of the wire use it; it
 * knows no socket.
 *
 * Whatever a decoding needs comes out of a codec_arena, a fixed buffer that is empty again at the next
 * decoding or encoding: a sender can make the receiver use at most CODEC_ARENA_BYTES, whatever it sends.
 * One arena serves one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/frame.h"
#include "proto/message.h"

enum { CODEC_ARENA_BYTES = 8 * MESSAGE_BYTES_MAX };

struct codec_arena {
    size_t used;
    size_t limit; /* 0: all of `bytes` */
    bool ran_out; /* the last coding needed more */
    _Alignas(16) uint8_t bytes[CODEC_ARENA_BYTES];
};

/* An empty arena; NULL when memory is short. The caller frees it with free(). */
struct codec_arena *codec_arena_new(void);

/* The same with only the first `limit` bytes; CODEC_SMALL_BYTES serve all but long messages. */
enum { CODEC_SMALL_BYTES = 4096 };
struct codec_arena *codec_arena_new_limited(size_t limit);

/* How long the frame of this request may be. */
size_t codec_request_frame_max(const struct request *request);

/*
 * Writes the whole frame into `frame` and returns its length; -EMSGSIZE when the message is longer than
 * MESSAGE_BYTES_MAX or the arena. `frame` has room for codec_request_frame_max() or FRAME_BYTES_MAX.
 */
int codec_encode_request(const struct request *request, struct codec_arena *arena, uint8_t *frame);
int codec_encode_reply(const struct reply *reply, struct codec_arena *arena, uint8_t frame[FRAME_BYTES_MAX]);

/*
 * Reads a payload. Returns 0; -EBADMSG when it is no such message; -EINVAL when it is one, but a field
 * makes no sense: *ret then has the id and the kind, and *ret_fault the sentence (static storage).
 */
int codec_decode_request(const uint8_t *payload, size_t bytes, struct codec_arena *arena, struct request *ret,
                         const char **ret_fault);

/* Reads a payload. Returns 0, or -EBADMSG. A reply of a kind that is newer than this code is REPLY_UNKNOWN. */
int codec_decode_reply(const uint8_t *payload, size_t bytes, struct codec_arena *arena, struct reply *ret);
