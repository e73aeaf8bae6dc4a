/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/reserve.h"

#include "daemon/core/host_room.h"
#include "proto/base/size.h"

/* Whether it would fit, beside what is claimed, if what is being freed were free. */
static bool frees_suffice(const struct broker *broker, uint64_t bytes)
{
    uint64_t freeing = ledger_counted(broker->host.freeing, LEDGER_MAX_PHYSICAL_BYTES);
    uint64_t wanted = size_add_saturated(bytes, account_claimed(&broker->host, LEDGER_MAX_PHYSICAL_BYTES));
    return freeing && !host_room_is_paused(broker) && wanted <= size_add_saturated(host_room_bytes(broker), freeing);
}

static void deny_host(const struct broker *broker, uint64_t bytes, enum location location, struct denial *ret)
{
    *ret = (struct denial){.code = ERROR_HOST_MEMORY, .location = location, .is_paused = host_room_is_paused(broker)};
    ret->excess = (struct ledger_excess){.account = &broker->host,
                                         .limit = LEDGER_MAX_PHYSICAL_BYTES,
                                         .limit_bytes = broker->host_available_bytes,
                                         .used_bytes = broker->host_granted_since,
                                         .claimed_bytes = account_claimed(&broker->host, LEDGER_MAX_PHYSICAL_BYTES),
                                         .asked_bytes = bytes,
                                         .fits_ever = bytes <= broker->host_total_bytes,
                                         .frees_suffice = frees_suffice(broker, bytes)};
}

static bool host_allows(const struct broker *broker, uint64_t bytes)
{
    uint64_t wanted = size_add_saturated(bytes, account_claimed(&broker->host, LEDGER_MAX_PHYSICAL_BYTES));
    return !host_room_is_paused(broker) && wanted <= host_room_bytes(broker);
}

/* The host's memory changes; a limit that never lets it pass is the better reason. */
bool reserve_bytes(struct broker *broker, struct account *account, uint64_t bytes, enum location location,
                   struct charge *ret_charge, struct denial *ret_denial)
{
    struct ledger_excess excess;
    struct charge charge;
    bool fits = ledger_reserve(account, location, bytes, &charge, &excess) == 0;
    if (location_is_memory(location) && !host_allows(broker, bytes) && (fits || excess.fits_ever)) {
        if (fits) {
            charge_release(&charge);
        }
        deny_host(broker, bytes, location, ret_denial);
        return false;
    }
    if (!fits) {
        *ret_denial = (struct denial){.code = ERROR_LIMIT, .excess = excess, .location = location};
        return false;
    }
    *ret_charge = charge;
    return true;
}

bool reserve_would_fit(struct broker *broker, struct account *account, uint64_t bytes, enum location location,
                       struct denial *ret_denial)
{
    struct charge charge;
    bool fits = reserve_bytes(broker, account, bytes, location, &charge, ret_denial);
    if (fits) {
        charge_release(&charge);
    }
    return fits;
}
