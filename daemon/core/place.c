/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a request's bytes can be had: in RAM, if the limits of client and host allow it and the host
 * has that much available now; else, if the request may go there, in a file.
 */
#include "daemon/core/place.h"

#include "daemon/core/evict.h"
#include "daemon/core/reserve.h"

/* Whether the limit counts the pool's bytes. */
static bool pool_counts(const struct broker *broker, const struct denial *denial)
{
    return denial->excess.account == &broker->host && ledger_limit_counts(denial->excess.limit, LOCATION_POOLED);
}

/* Whether the pool's bytes are in the way of it, and nothing that stays when they are gone. */
static bool pool_is_in_the_way(const struct broker *broker, struct account *account, uint64_t bytes,
                               const struct denial *denial)
{
    struct ledger_excess excess;
    struct charge charge;
    if (!pool_counts(broker, denial) || denial->is_paused || !denial->excess.fits_ever) {
        return false;
    }
    if (ledger_reserve(account, denial->location, bytes, &charge, &excess) == LEDGER_E_LIMIT) {
        return excess.is_hosts_alone; /* and it would fit ever: else that was the denial */
    }
    charge_release(&charge);
    return true;
}

/* The pool's part in a refusal by the host; it has none if the limit is too small even without the pool. */
static void name_pool(const struct broker *broker, struct denial *denial)
{
    bool has_part = pool_counts(broker, denial) && denial->excess.fits_ever;
    denial->pool_bytes = has_part ? pool_bytes(&broker->pool) : 0;
}

/*
 * What the pool holds is given up first, as much of it as is lacking; it is free a little later, and then the request
 * is looked at again. A step gives up a part of it only, and nothing of what is still being made: what remains for the
 * next ones counts as coming free. Then cached blocks go that nobody has a view of.
 */
static bool place_in(struct step *step, struct account *account, uint64_t bytes, enum location location,
                     struct charge *ret_charge, struct denial *ret_denial)
{
    struct broker *broker = step->broker;
    if (reserve_bytes(broker, account, bytes, location, ret_charge, ret_denial)) {
        return true;
    }
    if (!ret_denial->excess.frees_suffice && pool_is_in_the_way(broker, account, bytes, ret_denial)) {
        uint64_t lacks =
            ledger_lacks(&ret_denial->excess, ledger_counted(broker->host.freeing, ret_denial->excess.limit));
        uint64_t comes_free = pool_bytes(&broker->pool);
        (void)pool_drop(step, lacks);
        ret_denial->excess.frees_suffice = comes_free > 0 && comes_free >= lacks;
    }
    if (!ret_denial->excess.frees_suffice && evict_for(step, account, bytes, ret_denial)) {
        ret_denial->excess.frees_suffice = true;
    }
    name_pool(broker, ret_denial);
    return false;
}

bool place_bytes(struct step *step, struct account *account, uint64_t bytes, enum location wanted,
                 enum file_choice files, struct charge *ret_charge, struct denial *ret_denial)
{
    struct denial in_ram;
    enum location first = location_first(wanted), next = location_next(wanted, first);
    if (next == LOCATION_UNSPECIFIED || files == FILE_NEVER) {
        return place_in(step, account, bytes, first, ret_charge, ret_denial);
    }
    bool keeps_blocks = step->keeps_blocks;
    step->keeps_blocks = keeps_blocks || files == FILE_AT_ONCE; /* a file may do: then an eviction was in vain */
    bool is_placed = place_in(step, account, bytes, first, ret_charge, &in_ram);
    step->keeps_blocks = keeps_blocks;
    if (is_placed) {
        return true;
    }
    if (in_ram.excess.frees_suffice && files == FILE_UNLESS_FREEING) { /* RAM that is on its way back is waited for */
        *ret_denial = in_ram;
        return false;
    }
    if (place_in(step, account, bytes, next, ret_charge, ret_denial)) {
        return true;
    }
    if (files == FILE_AT_ONCE && !ret_denial->excess.frees_suffice) { /* no file: now blocks in RAM may go */
        (void)place_in(step, account, bytes, first, ret_charge, &in_ram);
    }
    if (in_ram.excess.fits_ever && !ret_denial->excess.fits_ever) {
        *ret_denial = in_ram;
    } else if (in_ram.excess.fits_ever) {
        ret_denial->in_ram = in_ram.excess;
        ret_denial->in_ram_code = in_ram.code;
    }
    return false;
}
