/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/estimate.h"

#include "daemon/core/reserve.h"
#include "proto/base/size.h"

void estimate_begin(struct broker *broker)
{
    struct account *account;
    LIST_FOREACH(account, &broker->reserves, in_reserves) {
        uint64_t leaving = ledger_counted(account->freeing, LEDGER_MAX_PHYSICAL_BYTES) +
                           ledger_counted(account->revoking, LEDGER_MAX_PHYSICAL_BYTES);
        account->spare_bytes =
            size_subtract_floored(account_used(account, LEDGER_MAX_PHYSICAL_BYTES), account->reserve_bytes + leaving);
    }
}

uint64_t estimate_gain(const struct broker *broker, const struct session *session, const struct account *short_of,
                       const struct share *share, enum location location, uint64_t bytes)
{
    struct principal *const principals[] = {share->user, share->group, share->class};
    uint64_t lost = 0;
    bool is_reserved = short_of == &broker->host && location_is_memory(location);
    for (size_t i = 0; is_reserved && i < sizeof principals / sizeof *principals; i++) {
        struct account *account = principals[i] ? &principals[i]->account : NULL;
        if (account && account->reserve_bytes && !account_is_descendant_of(&session->account, account)) {
            lost += size_subtract_floored(bytes, account->spare_bytes);
            account->spare_bytes = size_subtract_floored(account->spare_bytes, bytes);
        }
    }
    return size_subtract_floored(bytes, lost);
}
