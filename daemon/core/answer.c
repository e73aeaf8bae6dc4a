/* SPDX-License-Identifier: Apache-2.0 */
/* Answers and events as effects. */
#include "daemon/core/answer.h"

#include <stdarg.h>
#include <stdio.h>

static struct reply *reply_to(struct step *step, void *peer, enum reply_kind kind)
{
    struct effect *effect = effect_push(step->effects, EFFECT_REPLY);
    effect->reply.peer = peer;
    effect->reply.segment_handle = NULL;
    struct reply *reply = &effect->reply.reply;
    reply->is_answer = false;
    reply->reply_to = 0;
    reply->descriptors = 0;
    reply->kind = kind;
    return reply;
}

struct reply *answer_to(struct step *step, void *peer, uint64_t request_id, enum reply_kind kind)
{
    if (!request_id) {
        return NULL;
    }
    struct reply *reply = reply_to(step, peer, kind);
    reply->is_answer = true;
    reply->reply_to = request_id;
    return reply;
}

struct reply *answer_event(struct step *step, void *peer, enum reply_kind kind)
{
    return reply_to(step, peer, kind);
}

void answer_error(struct step *step, void *peer, uint64_t request_id, enum error_code code, const char *format, ...)
{
    struct reply *reply = answer_to(step, peer, request_id, REPLY_ERROR);
    if (!reply) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    reply->error.code = code;
    reply->error.system_errno = 0;
    reply->error.ended = END_NONE;
    reply->error.comes_free = false;
    reply->error.refusal = (struct refusal){0};
    (void)vsnprintf(reply->error.sentence, sizeof reply->error.sentence, format, arguments);
    va_end(arguments);
}

void answer_out_of_tables(struct step *step, void *peer, uint64_t request_id)
{
    answer_error(step, peer, request_id, ERROR_SYSTEM, "the broker is out of memory for its own tables");
}
