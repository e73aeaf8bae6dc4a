/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/grant_answer.h"

#include "proto/base/size.h"

void grant_answer(struct step *step, const struct segment *segment, uint64_t request_id)
{
    const struct lease *lease = segment->lease;
    struct effect *effect = effect_push(step->effects, EFFECT_REPLY);
    effect->reply.peer = lease->session->peer;
    effect->reply.segment_handle = segment->handle;
    effect->reply.lending = lease->is_publishable ? LENDS_BOTH : LENDS_WRITABLE;
    effect->reply.reply =
        (struct reply){.is_answer = true, .reply_to = request_id, .descriptors = lease->is_publishable ? 2 : 1};
    effect->reply.reply.kind = REPLY_GRANT;
    effect->reply.reply.grant = (struct grant_reply){
        .lease = lease->id,
        .segment = segment->id,
        .bytes = segment->charge.bytes,
        .location = lease->location,
        .ttl_ms = (uint32_t)(lease->ttl_ns / NANOSECONDS_PER_MILLISECOND),
        .slot = lease->slot,
        .generation = lease->generation,
        .huge_pages = segment->has_huge_pages,
        .extents = lease->extents,
        .file_bytes = lease->extents == 1 && lease->file ? lease->file->bytes : 0,
        .charge = segment_charged_to(segment),
        .is_present = segment_charged_to(segment) == CHARGE_BROKER,
        .is_remembered = lease->is_remembered,
        .prefault = lease->client_prefaults && location_is_memory(lease->location),
    };
}
