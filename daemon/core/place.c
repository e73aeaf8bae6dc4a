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

bool place_is_paused(const struct broker *broker)
{
    enum pressure pause_at = broker->options.settings.pause_at;
    return pause_at != PRESSURE_NONE && broker->pressure >= pause_at;
}

/* Whether it would fit, beside what is claimed, if what is being freed were free. */
static bool frees_suffice(const struct broker *broker, uint64_t bytes)
{
    uint64_t freeing = broker->host.freeing_physical_bytes;
    uint64_t wanted = size_add_saturated(bytes, broker->host.claimed_physical_bytes);
    return freeing && !place_is_paused(broker) && wanted <= size_add_saturated(host_room(broker), freeing);
}

static void deny_host(const struct broker *broker, uint64_t bytes, struct denial *ret)
{
    *ret = (struct denial){.code = ERROR_HOST_MEMORY, .location = LOCATION_RAM, .is_paused = place_is_paused(broker)};
    ret->excess = (struct ledger_excess){.account = &broker->host,
                                         .limit = LEDGER_MAX_PHYSICAL_BYTES,
                                         .limit_bytes = broker->host_available_bytes,
                                         .used_bytes = broker->host_granted_since,
                                         .claimed_bytes = broker->host.claimed_physical_bytes,
                                         .asked_bytes = bytes,
                                         .fits_ever = bytes <= broker->host_total_bytes,
                                         .frees_suffice = frees_suffice(broker, bytes)};
}

static bool host_allows(const struct broker *broker, uint64_t bytes)
{
    uint64_t wanted = size_add_saturated(bytes, broker->host.claimed_physical_bytes);
    return !place_is_paused(broker) && wanted <= host_room(broker);
}

/* The host's memory changes; a limit that never lets it pass is the better reason. */
static bool reserve(struct broker *broker, struct account *account, uint64_t bytes, enum location location,
                    struct charge *ret_charge, struct denial *ret_denial)
{
    struct ledger_excess excess;
    struct charge charge;
    bool fits = ledger_reserve(account, location, bytes, &charge, &excess) == 0;
    if (location == LOCATION_RAM && !host_allows(broker, bytes) && (fits || excess.fits_ever)) {
        if (fits) {
            charge_release(&charge);
        }
        deny_host(broker, bytes, ret_denial);
        return false;
    }
    if (!fits) {
        *ret_denial = (struct denial){.code = ERROR_LIMIT, .excess = excess, .location = location};
        return false;
    }
    *ret_charge = charge;
    return true;
}

bool place_would_fit(struct broker *broker, struct account *account, uint64_t bytes, enum location location,
                     struct denial *ret_denial)
{
    struct charge charge;
    bool fits = reserve(broker, account, bytes, location, &charge, ret_denial);
    if (fits) {
        charge_release(&charge);
    }
    return fits;
}

/* Whether the pool's bytes are in the way of it, and nothing that stays when they are gone. */
static bool pool_is_in_the_way(const struct broker *broker, struct account *account, uint64_t bytes,
                               const struct denial *denial)
{
    struct ledger_excess excess;
    struct charge charge;
    if (account == &broker->pool.account || denial->excess.account != &broker->host || denial->is_paused ||
        denial->excess.limit == LEDGER_MAX_MAPPED_BYTES || !denial->excess.fits_ever) {
        return false;
    }
    if (ledger_reserve(account, denial->location, bytes, &charge, &excess) == LEDGER_E_LIMIT) {
        return excess.is_hosts_alone; /* and it would fit ever: else that was the denial */
    }
    charge_release(&charge);
    return true;
}

/* What has to come free for it, besides what is on its way. */
static uint64_t lacking(const struct broker *broker, const struct denial *denial)
{
    const struct ledger_excess *excess = &denial->excess;
    uint64_t taken = size_add_saturated(size_add_saturated(excess->used_bytes, excess->reserved_bytes),
                                        size_add_saturated(excess->claimed_bytes, excess->asked_bytes));
    uint64_t stays = size_subtract_floored(taken, account_freeing(&broker->host, excess->limit));
    return size_subtract_floored(stays, excess->limit_bytes);
}

/* The pool's part in a refusal by the host. */
static void name_pool(const struct broker *broker, struct denial *denial)
{
    bool counts = denial->excess.account == &broker->host && denial->excess.limit != LEDGER_MAX_MAPPED_BYTES;
    denial->pool_bytes = counts ? pool_bytes(&broker->pool) : 0;
}

/*
 * What the pool holds is given up first, as much of it as is lacking; it is free a little later, and then the request
 * is looked at again. A step gives up a part of it only, and nothing of what is still being made: what remains for the
 * next ones counts as coming free.
 */
static bool place_in(struct step *step, struct account *account, uint64_t bytes, enum location location,
                     struct charge *ret_charge, struct denial *ret_denial)
{
    struct broker *broker = step->broker;
    if (reserve(broker, account, bytes, location, ret_charge, ret_denial)) {
        return true;
    }
    if (!ret_denial->excess.frees_suffice && pool_is_in_the_way(broker, account, bytes, ret_denial)) {
        uint64_t lacks = lacking(broker, ret_denial);
        uint64_t comes_free = pool_bytes(&broker->pool);
        (void)pool_drop(step, lacks);
        ret_denial->excess.frees_suffice = comes_free > 0 && comes_free >= lacks;
    }
    name_pool(broker, ret_denial);
    return false;
}

bool place(struct step *step, struct account *account, uint64_t bytes, enum location wanted, enum file_choice files,
           struct charge *ret_charge, struct denial *ret_denial)
{
    struct denial in_ram;
    if (wanted != LOCATION_AUTO || files == FILE_NEVER) {
        enum location location = wanted == LOCATION_AUTO ? LOCATION_RAM : wanted;
        return place_in(step, account, bytes, location, ret_charge, ret_denial);
    }
    if (place_in(step, account, bytes, LOCATION_RAM, ret_charge, &in_ram)) {
        return true;
    }
    if (in_ram.excess.frees_suffice && files == FILE_UNLESS_FREEING) { /* RAM that is on its way back is waited for */
        *ret_denial = in_ram;
        return false;
    }
    if (place_in(step, account, bytes, LOCATION_MMAP, ret_charge, ret_denial)) {
        return true;
    }
    if (in_ram.excess.fits_ever && !ret_denial->excess.fits_ever) {
        *ret_denial = in_ram;
    } else if (in_ram.excess.fits_ever) {
        ret_denial->in_ram = in_ram.excess;
        ret_denial->in_ram_code = in_ram.code;
    }
    return false;
}
