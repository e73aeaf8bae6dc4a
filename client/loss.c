/* SPDX-License-Identifier: Apache-2.0 */
#include "client/loss.h"

#include <stdatomic.h>

#include "proto/base/end_reason.h"

_Static_assert((int)MB_END_NONE == END_NONE && (int)MB_END_RELEASED == END_RELEASED &&
                   (int)MB_END_EXPIRED == END_EXPIRED && (int)MB_END_REVOKED == END_REVOKED &&
                   (int)MB_END_DIED == END_DIED && (int)MB_END_DISCONNECTED == END_DISCONNECTED &&
                   (int)MB_END_SHUTDOWN == END_SHUTDOWN && (int)MB_END_TAMPERED == END_TAMPERED &&
                   (int)MB_END_UNPUBLISHED == END_UNPUBLISHED && (int)MB_END_REPLACED == END_REPLACED &&
                   (int)MB_END_EVICTED == END_EVICTED,
               "the broker's reasons are the library's");

const char *mb_end_reason_text(mb_end_reason reason)
{
    if (reason == MB_END_BROKER_GONE) {
        return "the broker is gone, or has forgotten this session";
    }
    return (unsigned)reason < END_REASONS ? end_reason_text((enum end_reason)reason)
                                          : "for a reason that this version of the library does not know";
}

static char *append(char *at, const char *end, const char *text)
{
    while (at < end && *text) {
        *at++ = *text++;
    }
    return at;
}

static char *append_number(char *at, const char *end, uint64_t number)
{
    char digits[21];
    size_t i = sizeof digits - 1;
    digits[i] = '\0';
    do {
        digits[--i] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return append(at, end, &digits[i]);
}

static char *append_name(char *at, const char *end, const char *before, const char *name, const char *after)
{
    return append(append(append(at, end, before), end, name), end, after);
}

/* Which lease it is, as far as its program knows it: by the name that it gave, or by that of the block. */
static char *append_title(char *at, const char *end, const mb_lease *lease, const char *block)
{
    at = append_number(append(at, end, "lease "), end, lease->id);
    if (block) {
        return append_name(at, end, lease->is_publishable ? ", the memory of block \"" : ", the view of block \"",
                           block, "\",");
    }
    return lease->name[0] ? append_name(at, end, " (", lease->name, ")") : at;
}

size_t loss_sentence(const mb_lease *lease, mb_end_reason reason, const char *before, const char *after, char *ret,
                     size_t size)
{
    const char *end = ret + size - 1;
    const char *block = atomic_load_explicit(&lease->block, memory_order_acquire);
    bool is_view = block && !lease->is_publishable && (unsigned)reason < END_REASONS;
    char *at = append_title(append(ret, end, before), end, lease, block);
    at = append(at, end, " is lost: ");
    at = append(at, end, is_view ? end_reason_text_of_view((enum end_reason)reason) : mb_end_reason_text(reason));
    at = append(at, end, after);
    *at = '\0';
    return (size_t)(at - ret);
}
