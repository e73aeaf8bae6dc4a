/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the reply codec share. Nothing of it is called from elsewhere. */
#pragma once

#include "membroker.pb-c.h"
#include "proto/base/text.h"
#include "proto/codec_arena.h"

#define SET_BODY(message, CASE, field, value)                                                                          \
    do {                                                                                                               \
        (message)->body_case = MEMBROKER__V1__DAEMON_MESSAGE__BODY_##CASE;                                             \
        (message)->field = (value);                                                                                    \
    } while (0)

bool codec_new_refusal(const struct refusal *from, struct codec_arena *arena, Membroker__V1__Refusal **ret);
void codec_read_refusal(const Membroker__V1__Refusal *from, struct refusal *to);

bool codec_encode_queue(const struct listing_reply *from, struct codec_arena *arena, Membroker__V1__Listing *to);
bool codec_decode_queue(const Membroker__V1__Listing *from, struct codec_arena *arena, struct listing_reply *to);

bool codec_encode_why(const struct why_reply *from, struct codec_arena *arena, Membroker__V1__WhyReport *to);
bool codec_decode_why(const Membroker__V1__WhyReport *from, struct codec_arena *arena, struct why_reply *to);
