/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a request's bytes can be had: in RAM, if the limits of client and host allow it and the host
 * has that much available now; else, if the request may go there, in a file.
 */
#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

/* RAM that was granted under the present snapshot and still stands counts as used: its pages may come at any time. */
static uint64_t host_room(const struct broker *broker)
{
    return size_subtract_floored(broker->host_available_bytes, broker->host_granted_since);
}

void place_count_host(struct broker *broker, struct segment *segment)
{
    if (segment->charge.location == LOCATION_RAM) {
        segment->host_epoch = broker->host_epoch;
        broker->host_granted_since += segment->charge.bytes;
    }
}

void place_uncount_host(struct broker *broker, const struct segment *segment)
{
    if (segment->charge.location == LOCATION_RAM && segment->host_epoch == broker->host_epoch) {
        broker->host_granted_since = size_subtract_floored(broker->host_granted_since, segment->charge.bytes);
    }
}

static enum placement deny_host(const struct broker *broker, uint64_t bytes, struct denial *ret)
{
    *ret = (struct denial){.code = ERROR_HOST_MEMORY, .location = LOCATION_RAM};
    ret->excess = (struct ledger_excess){.account = &broker->host,
                                         .limit_bytes = broker->host_available_bytes,
                                         .used_bytes = broker->host_granted_since,
                                         .asked_bytes = bytes};
    return broker->host.freeing_physical_bytes ? WAITS : DENIED;
}

static enum placement place_in(struct broker *broker, struct account *account, uint64_t bytes, enum location location,
                               struct charge *ret_charge, struct denial *ret_denial)
{
    struct ledger_excess excess;
    struct charge charge;
    if (ledger_reserve(account, location, bytes, &charge, &excess) == LEDGER_E_LIMIT) {
        *ret_denial = (struct denial){.code = ERROR_LIMIT, .excess = excess, .location = location};
        return excess.frees_suffice ? WAITS : DENIED;
    }
    if (location == LOCATION_RAM && bytes > host_room(broker)) {
        charge_release(&charge);
        return deny_host(broker, bytes, ret_denial);
    }
    *ret_charge = charge;
    return PLACED;
}

enum placement place(struct broker *broker, struct account *account, uint64_t bytes, enum location wanted,
                     struct charge *ret_charge, struct denial *ret_denial)
{
    if (wanted != LOCATION_AUTO) {
        return place_in(broker, account, bytes, wanted, ret_charge, ret_denial);
    }
    struct denial in_ram;
    enum placement ram = place_in(broker, account, bytes, LOCATION_RAM, ret_charge, &in_ram);
    if (ram == PLACED) {
        return PLACED;
    }
    enum placement mapped = place_in(broker, account, bytes, LOCATION_MMAP, ret_charge, ret_denial);
    if (mapped == DENIED && ram == WAITS) {
        *ret_denial = in_ram;
        return WAITS;
    }
    return mapped;
}
