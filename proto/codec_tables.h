/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of all kinds of messages, for tests that compare them with membroker.proto. */
#pragma once

#include "proto/codec_fields.h"

extern const struct codec_body codec_request_bodies[REQUEST_KINDS]; /* in codec_request.c */
extern const struct codec_body codec_reply_bodies[REPLY_KINDS];     /* in codec_reply.c */
