/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a packet holds, reading it is safe, by both sides; and what was read as a request is written and read again
 * as the same.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void read_request(struct codec_arena *arena, const uint8_t *payload, size_t bytes)
{
    static struct codec_arena *other;
    static uint8_t frame[FRAME_BYTES_MAX];
    struct request request, again;
    const char *fault = NULL;
    const uint8_t *inside;
    size_t inside_bytes;
    other = other ? other : codec_arena_new();
    int result = codec_decode_request(payload, bytes, arena, &request, &fault);
    check(result == 0 || result == -EBADMSG || (result == -EINVAL && fault));
    if (result < 0 || request.kind == REQUEST_UNKNOWN) {
        return;
    }
    int written = codec_encode_request(&request, other, frame);
    check(written > 0);
    check(frame_open(frame, (size_t)written, &inside, &inside_bytes) == 0);
    check(codec_decode_request(inside, inside_bytes, other, &again, &fault) == 0);
    check(again.kind == request.kind && again.id == request.id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec_arena *arena;
    const uint8_t *payload;
    size_t bytes;
    struct reply reply;
    arena = arena ? arena : codec_arena_new();
    if (frame_open(data, size, &payload, &bytes) == 0) {
        read_request(arena, payload, bytes);
        (void)codec_decode_reply(payload, bytes, arena, &reply);
    }
    /* behind a length that is right */
    if (size <= MESSAGE_BYTES_MAX) {
        read_request(arena, data, size);
        (void)codec_decode_reply(data, size, arena, &reply);
    }
    return 0;
}
