/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of accounts. A reservation looks at every limit of every account before it changes
 * any of them, so that a refusal leaves no trace.
 */
#include "daemon/core/ledger.h"

#include <assert.h>

#include "proto/base/size.h"

void account_init(struct account *account, struct account *parent, const char *whose, const struct byte_limits *limits)
{
    *account = (struct account){.parent = parent, .whose = whose, .limits = *limits};
}

void account_deinit(const struct account *account)
{
    assert(account->charges == 0 && account->physical_bytes == 0 && account->mapped_bytes == 0);
    (void)account;
}

const char *ledger_limit_name(enum ledger_limit limit)
{
    static const char *const names[LEDGER_LIMITS] = {
        [LEDGER_MAX_BYTES] = "max_bytes",
        [LEDGER_MAX_PHYSICAL_BYTES] = "max_physical_bytes",
        [LEDGER_MAX_MAPPED_BYTES] = "max_mapped_bytes",
    };
    return names[limit];
}

uint64_t account_used(const struct account *account, enum ledger_limit limit)
{
    const uint64_t used[LEDGER_LIMITS] = {
        [LEDGER_MAX_BYTES] = account->physical_bytes + account->mapped_bytes,
        [LEDGER_MAX_PHYSICAL_BYTES] = account->physical_bytes,
        [LEDGER_MAX_MAPPED_BYTES] = account->mapped_bytes,
    };
    return used[limit];
}

uint64_t account_limit(const struct account *account, enum ledger_limit limit)
{
    const uint64_t limits[LEDGER_LIMITS] = {
        [LEDGER_MAX_BYTES] = account->limits.max_bytes,
        [LEDGER_MAX_PHYSICAL_BYTES] = account->limits.max_physical_bytes,
        [LEDGER_MAX_MAPPED_BYTES] = account->limits.max_mapped_bytes,
    };
    return limits[limit];
}

static uint64_t account_freeing(const struct account *account, enum ledger_limit limit)
{
    const uint64_t freeing[LEDGER_LIMITS] = {
        [LEDGER_MAX_BYTES] = account->freeing_physical_bytes + account->freeing_mapped_bytes,
        [LEDGER_MAX_PHYSICAL_BYTES] = account->freeing_physical_bytes,
        [LEDGER_MAX_MAPPED_BYTES] = account->freeing_mapped_bytes,
    };
    return freeing[limit];
}

static bool limit_counts(enum ledger_limit limit, enum location location)
{
    return limit == LEDGER_MAX_BYTES ||
           limit == (location == LOCATION_RAM ? LEDGER_MAX_PHYSICAL_BYTES : LEDGER_MAX_MAPPED_BYTES);
}

/* A limit that is off still ends far below 64 bits, so that no sum can wrap. */
static uint64_t room(uint64_t limit, uint64_t used)
{
    return size_subtract_floored(size_min(limit, UINT64_MAX / 4), used);
}

/* Remembers this limit as the excess if it leaves less room than the one remembered before. */
static void excess_consider(struct ledger_excess *excess, const struct account *account, enum ledger_limit limit,
                            uint64_t asked)
{
    uint64_t limit_bytes = account_limit(account, limit);
    uint64_t used = account_used(account, limit);
    uint64_t free_bytes = room(limit_bytes, used);
    if (free_bytes >= asked) {
        return;
    }
    bool suffice = room(limit_bytes, used - account_freeing(account, limit)) >= asked;
    bool tighter = !excess->account || free_bytes <= room(excess->limit_bytes, excess->used_bytes);
    bool all_suffice = suffice && (!excess->account || excess->frees_suffice);
    if (tighter) {
        *excess = (struct ledger_excess){
            .account = account, .limit = limit, .limit_bytes = limit_bytes, .used_bytes = used, .asked_bytes = asked};
    }
    excess->frees_suffice = all_suffice;
}

static void account_add(struct account *account, enum location location, uint64_t bytes)
{
    *(location == LOCATION_RAM ? &account->physical_bytes : &account->mapped_bytes) += bytes;
    account->charges++;
}

int ledger_reserve(struct account *account, enum location location, uint64_t bytes, struct charge *ret_charge,
                   struct ledger_excess *ret_excess)
{
    struct ledger_excess excess = {0};
    assert(location == LOCATION_RAM || location == LOCATION_MMAP);
    for (const struct account *at = account; at; at = at->parent) {
        for (enum ledger_limit limit = 0; limit < LEDGER_LIMITS; limit++) {
            if (limit_counts(limit, location)) {
                excess_consider(&excess, at, limit, bytes);
            }
        }
    }
    if (excess.account) {
        *ret_excess = excess;
        return LEDGER_E_LIMIT;
    }
    ledger_restore(account, location, bytes, ret_charge);
    return 0;
}

void ledger_restore(struct account *account, enum location location, uint64_t bytes, struct charge *ret_charge)
{
    for (struct account *at = account; at; at = at->parent) {
        account_add(at, location, bytes);
    }
    *ret_charge = (struct charge){.account = account, .location = location, .bytes = bytes};
}

static void account_add_freeing(struct account *account, enum location location, uint64_t bytes)
{
    *(location == LOCATION_RAM ? &account->freeing_physical_bytes : &account->freeing_mapped_bytes) += bytes;
}

void charge_begin_free(struct charge *charge)
{
    if (!charge->account || charge->freeing) {
        return;
    }
    charge->freeing = true;
    for (struct account *at = charge->account; at; at = at->parent) {
        account_add_freeing(at, charge->location, charge->bytes);
    }
}

static void account_subtract(struct account *account, const struct charge *charge)
{
    bool ram = charge->location == LOCATION_RAM;
    uint64_t *used = ram ? &account->physical_bytes : &account->mapped_bytes;
    uint64_t *freeing = ram ? &account->freeing_physical_bytes : &account->freeing_mapped_bytes;
    assert(account->charges > 0 && *used >= charge->bytes);
    *used -= charge->bytes;
    if (charge->freeing) {
        assert(*freeing >= charge->bytes);
        *freeing -= charge->bytes;
    }
    account->charges--;
}

void charge_release(struct charge *charge)
{
    for (struct account *at = charge->account; at; at = at->parent) {
        account_subtract(at, charge);
    }
    *charge = (struct charge){0};
}
