/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/end_reason.h"

static const char *const texts[END_REASONS] = {
    [END_NONE] = "it has not ended",
    [END_RELEASED] = "it was released",
    [END_EXPIRED] = "it was not renewed within its TTL",
    [END_REVOKED] = "it was revoked",
    [END_DIED] = "its process ended",
    [END_DISCONNECTED] = "its connection was not resumed within the grace time",
    [END_SHUTDOWN] = "the broker shut down",
    [END_TAMPERED] = "the size of one of its segments was changed behind the broker's back",
    [END_UNPUBLISHED] = "its block was unpublished",
    [END_REPLACED] = "another block took the name of its block",
    [END_EVICTED] = "its block was evicted because memory was short",
};

static const char *const texts_of_block[END_REASONS] = {
    [END_NONE] = "it has not ended",
    [END_RELEASED] = "its publisher freed it",
    [END_EXPIRED] = "its time was over",
    [END_REVOKED] = "it was revoked",
    [END_DIED] = "its publisher's process ended",
    [END_DISCONNECTED] = "its publisher's connection was not resumed within the grace time",
    [END_SHUTDOWN] = "the broker shut down",
    [END_TAMPERED] = "its size was changed behind the broker's back",
    [END_UNPUBLISHED] = "it was unpublished",
    [END_REPLACED] = "another block took its name",
    [END_EVICTED] = "it was evicted because memory was short",
};

static const char *const texts_of_view[END_REASONS] = {
    [END_NONE] = "it has not ended",
    [END_RELEASED] = "the block's publisher freed it",
    [END_EXPIRED] = "it was not renewed within its TTL, or the block's time was over",
    [END_REVOKED] = "it was revoked",
    [END_DIED] = "the process of the block's publisher ended",
    [END_DISCONNECTED] = "its connection, or that of the block's publisher, was not resumed within the grace time",
    [END_SHUTDOWN] = "the broker shut down",
    [END_TAMPERED] = "the size of the block was changed behind the broker's back",
    [END_UNPUBLISHED] = "the block was unpublished",
    [END_REPLACED] = "another block took the name",
    [END_EVICTED] = "the block was evicted because memory was short",
};

static const char *text_in(const char *const *of, enum end_reason reason)
{
    return reason < END_REASONS ? of[reason] : "for an unknown reason";
}

const char *end_reason_text(enum end_reason reason)
{
    return text_in(texts, reason);
}

const char *end_reason_text_of_block(enum end_reason reason)
{
    return text_in(texts_of_block, reason);
}

const char *end_reason_text_of_view(enum end_reason reason)
{
    return text_in(texts_of_view, reason);
}
