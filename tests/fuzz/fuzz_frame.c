/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a packet holds, reading it is safe, by both sides; and what was read, of a client's request or of the
 * daemon's answer, is written and read again as the same.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read lies in one arena while it is written by the other. */
static struct codec_arena *reading, *writing;

struct packet {
    uint8_t frame[FRAME_BYTES_MAX];
    int bytes;
};

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static const uint8_t *open_packet(const struct packet *packet, size_t *ret_bytes)
{
    const uint8_t *payload = NULL;
    check(packet->bytes > 0);
    check(frame_open(packet->frame, (size_t)packet->bytes, &payload, ret_bytes) == 0);
    return payload;
}

static bool is_same(const struct packet *one, const struct packet *other)
{
    return one->bytes == other->bytes && memcmp(one->frame, other->frame, (size_t)one->bytes) == 0;
}

static bool read_request(const uint8_t *payload, size_t bytes, struct request *ret)
{
    const char *fault = NULL;
    int result = codec_decode_request(payload, bytes, reading, ret, &fault);
    check(result == 0 || result == -EBADMSG || (result == -EINVAL && fault));
    return result == 0 && ret->kind != REQUEST_UNKNOWN;
}

/* A request never grows so that it would not fit. */
static void request_there_and_back(const uint8_t *payload, size_t bytes)
{
    static struct packet first, second;
    struct request request, again;
    size_t inside;
    if (!read_request(payload, bytes, &request)) {
        return;
    }
    first.bytes = codec_encode_request(&request, writing, first.frame);
    payload = open_packet(&first, &inside);
    check(read_request(payload, inside, &again));
    check(again.kind == request.kind && again.id == request.id);
    second.bytes = codec_encode_request(&again, writing, second.frame);
    check(is_same(&first, &second));
}

static bool read_reply(const uint8_t *payload, size_t bytes, struct reply *ret)
{
    int result = codec_decode_reply(payload, bytes, reading, ret);
    check(result == 0 || result == -EBADMSG);
    return result == 0;
}

/* A listing of nothing but empty entries is longer when every field is said. */
static void reply_there_and_back(const uint8_t *payload, size_t bytes)
{
    static struct packet first, second;
    struct reply reply, again;
    size_t inside;
    if (!read_reply(payload, bytes, &reply)) {
        return;
    }
    first.bytes = codec_encode_reply(&reply, writing, first.frame);
    if (first.bytes == -EMSGSIZE) {
        return;
    }
    payload = open_packet(&first, &inside);
    check(read_reply(payload, inside, &again));
    check(again.kind == reply.kind && again.is_answer == reply.is_answer && again.reply_to == reply.reply_to);
    second.bytes = codec_encode_reply(&again, writing, second.frame);
    check(is_same(&first, &second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *payload;
    size_t bytes;
    reading = reading ? reading : codec_arena_new();
    writing = writing ? writing : codec_arena_new();
    check(reading && writing);
    if (frame_open(data, size, &payload, &bytes) == 0) {
        request_there_and_back(payload, bytes);
        reply_there_and_back(payload, bytes);
    }
    /* behind a length that is right */
    if (size <= MESSAGE_BYTES_MAX) {
        request_there_and_back(data, size);
        reply_there_and_back(data, size);
    }
    return 0;
}
