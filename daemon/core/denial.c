/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/denial.h"

#include "daemon/core/pool.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

enum ledger_limit denial_limit(const struct denial *denial)
{
    return denial->code == ERROR_HOST_MEMORY ? LEDGER_MAX_PHYSICAL_BYTES : denial->excess.limit;
}

struct denial denial_of_leases(const struct principal *full)
{
    return (struct denial){.code = ERROR_TOO_MANY,
                           .full = full,
                           .location = LOCATION_DEFAULT,
                           .excess = {.account = &full->account,
                                      .limit_bytes = full->quota.max_leases,
                                      .used_bytes = full->leases,
                                      .claimed_bytes = full->claimed_leases,
                                      .asked_bytes = 1,
                                      .fits_ever = full->quota.max_leases > 0}};
}

static enum limit_kind limit_kind(const struct denial *denial)
{
    static const enum limit_kind kinds[LEDGER_LIMITS] = {
        [LEDGER_MAX_BYTES] = LIMIT_KIND_BYTES,
        [LEDGER_MAX_PHYSICAL_BYTES] = LIMIT_KIND_PHYSICAL_BYTES,
        [LEDGER_MAX_MAPPED_BYTES] = LIMIT_KIND_MAPPED_BYTES,
    };
    return denial->full                        ? LIMIT_KIND_LEASES
           : denial->is_paused                 ? LIMIT_KIND_PAUSED
           : denial->code == ERROR_HOST_MEMORY ? LIMIT_KIND_AVAILABLE_MEMORY
                                               : kinds[denial->excess.limit];
}

void denial_figures(const struct denial *denial, struct refusal *ret)
{
    const struct ledger_excess *excess = &denial->excess;
    *ret = (struct refusal){
        .limit_bytes = excess->limit_bytes,
        .asked_bytes = excess->asked_bytes,
        .used_bytes = excess->used_bytes,
        .reserved_bytes = excess->reserved_bytes,
        .claimed_bytes = excess->claimed_bytes,
        .pool_bytes = denial->pool_bytes,
    };
    ret->free_bytes = size_subtract_floored(excess->limit_bytes, ledger_taken(excess));
    ret->limit_kind = limit_kind(denial);
    text_copy(ret->limit, sizeof ret->limit, limit_kind_name(ret->limit_kind));
    text_copy(ret->whose, sizeof ret->whose, excess->account->whose);
}
