/* SPDX-License-Identifier: Apache-2.0 */
/* Hands out the figures of the newest refusal, and judges them. */
#include <errno.h>

#include "client/error.h"
#include "client/thread.h"
#include "membroker.h"
#include "proto/base/text.h"

_Static_assert((int)MB_LIMIT_KIND_OTHER == LIMIT_KIND_UNSPECIFIED && (int)MB_LIMIT_KIND_USER_WATCHES + 1 == LIMIT_KINDS,
               "both name the same limits");
_Static_assert((int)MB_HOLDERS_MAX == MESSAGE_HOLDERS_MAX, "all holders fit");

static unsigned copy_holders(const struct holder *holders, size_t count, mb_holder *ret)
{
    for (size_t i = 0; i < count; i++) {
        ret[i] = (mb_holder){
            .session = holders[i].session, .bytes = holders[i].bytes, .pid = holders[i].pid, .uid = holders[i].uid};
        text_copy(ret[i].name, sizeof ret[i].name, holders[i].name);
    }
    return (unsigned)count;
}

static mb_refusal published(const struct refusal *refusal)
{
    mb_refusal ret = {
        .kind = (mb_limit_kind)refusal->limit_kind,
        .limit_bytes = refusal->limit_bytes,
        .asked_bytes = refusal->asked_bytes,
        .used_bytes = refusal->used_bytes,
        .free_bytes = refusal->free_bytes,
        .reserved_bytes = refusal->reserved_bytes,
        .claimed_bytes = refusal->claimed_bytes,
        .pool_bytes = refusal->pool_bytes,
    };
    text_copy(ret.limit, sizeof ret.limit, refusal->limit);
    text_copy(ret.whose, sizeof ret.whose, refusal->whose);
    ret.holder_count = copy_holders(refusal->holders, refusal->holder_count, ret.holders);
    ret.ahead_count = copy_holders(refusal->ahead, refusal->ahead_count, ret.ahead);
    return ret;
}

int mb_last_refusal(mb_refusal *ret_refusal)
{
    const struct thread *thread = thread_self;
    if (ret_refusal->size < sizeof *ret_refusal) {
        return error_set(-EINVAL, "the refusal must begin as MB_REFUSAL_INIT");
    }
    if (!thread || !thread->sentence[0] || !thread->refusal.limit[0]) {
        return -ENODATA;
    }
    mb_refusal refusal = published(&thread->refusal);
    refusal.size = ret_refusal->size;
    *ret_refusal = refusal;
    return 0;
}

int mb_refusal_may_fit_later(const mb_refusal *refusal)
{
    bool is_of_host = refusal->kind == MB_LIMIT_KIND_AVAILABLE_MEMORY || refusal->kind == MB_LIMIT_KIND_PAUSED ||
                      refusal->kind == MB_LIMIT_KIND_DISK_SPACE; /* which changes by itself */
    return is_of_host || refusal->asked_bytes <= refusal->limit_bytes;
}
