/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/reply_back.h"

static struct codec_arena arena;
static uint8_t frame[FRAME_BYTES_MAX];

struct reply reply_back(const struct reply *reply)
{
    struct reply back;
    size_t size;
    const uint8_t *payload = NULL;
    int bytes = codec_encode_reply(reply, &arena, frame);
    cr_assert(bytes > 0);
    cr_assert_eq(frame_open(frame, (size_t)bytes, &payload, &size), 0);
    cr_expect_eq(arena.used % 16, 0, "what comes of the arena is aligned");
    cr_assert_eq(codec_decode_reply(payload, size, &arena, &back), 0);
    cr_expect_eq(arena.used % 16, 0);
    cr_assert_eq(back.kind, reply->kind);
    cr_expect_eq(back.is_answer, reply->is_answer);
    cr_expect_eq(back.reply_to, reply->reply_to);
    return back;
}
