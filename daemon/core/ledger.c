/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of accounts. A reservation looks at every limit of every account before it changes
 * any of them, so that a refusal leaves no trace.
 */
#include "daemon/core/ledger.h"

#include <assert.h>

#include "daemon/core/reserve.h"
#include "proto/base/size.h"

void account_init(struct account *account, const char *whose, const struct byte_limits *limits)
{
    *account = (struct account){.whose = whose, .limits = *limits};
}

/* The account itself, then those above it; NULL where there is none. */
static struct account *payer(struct account *account, size_t position)
{
    assert(account);
    return position == 0 ? account : account->above[position - 1];
}

void account_deinit(struct account *account)
{
    if (account->reserve_bytes) {
        LIST_REMOVE(account, in_reserves);
    }
    assert(account->charges == 0 && account->physical_bytes == 0 && account->mapped_bytes == 0);
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

uint64_t account_freeing(const struct account *account, enum ledger_limit limit)
{
    const uint64_t freeing[LEDGER_LIMITS] = {
        [LEDGER_MAX_BYTES] = account->freeing_physical_bytes + account->freeing_mapped_bytes,
        [LEDGER_MAX_PHYSICAL_BYTES] = account->freeing_physical_bytes,
        [LEDGER_MAX_MAPPED_BYTES] = account->freeing_mapped_bytes,
    };
    return freeing[limit];
}

uint64_t account_revoking(const struct account *account, enum ledger_limit limit)
{
    const uint64_t revoking[LEDGER_LIMITS] = {
        [LEDGER_MAX_BYTES] = account->revoking_physical_bytes + account->revoking_mapped_bytes,
        [LEDGER_MAX_PHYSICAL_BYTES] = account->revoking_physical_bytes,
        [LEDGER_MAX_MAPPED_BYTES] = account->revoking_mapped_bytes,
    };
    return revoking[limit];
}

bool ledger_limit_counts(enum ledger_limit limit, enum location location)
{
    return limit == LEDGER_MAX_BYTES ||
           limit == (location == LOCATION_RAM ? LEDGER_MAX_PHYSICAL_BYTES : LEDGER_MAX_MAPPED_BYTES);
}

/* A limit that is off still ends far below 64 bits, so that no sum can wrap. */
static uint64_t room(uint64_t limit, uint64_t used)
{
    return size_subtract_floored(size_min(limit, UINT64_MAX / 4), used);
}

uint64_t account_held(const struct account *account)
{
    return account->physical_bytes - account->freeing_physical_bytes + account->mapped_bytes -
           account->freeing_mapped_bytes;
}

uint64_t account_unfilled_reserve(const struct account *account)
{
    return size_subtract_floored(account->reserve_bytes, account->physical_bytes);
}

bool account_stands_under(const struct account *account, const struct account *other)
{
    bool under = account == other;
    for (size_t i = 0; !under && i < ACCOUNT_ABOVE_MAX; i++) {
        under = account->above[i] == other;
    }
    return under;
}

/* What the host holds back from this account for others' reserves; or what it would if they used nothing. */
static uint64_t held_back(const struct account *host, const struct account *account, bool all)
{
    const struct account *other;
    uint64_t bytes = 0;
    if (!host->reserves) {
        return 0;
    }
    LIST_FOREACH(other, host->reserves, in_reserves) {
        uint64_t reserve = all ? other->reserve_bytes : account_unfilled_reserve(other);
        bytes += account_stands_under(account, other) ? 0 : reserve;
    }
    return bytes;
}

uint64_t account_held_back(const struct account *account, const struct account *asking, enum ledger_limit limit)
{
    return limit == LEDGER_MAX_MAPPED_BYTES ? 0 : held_back(account, asking, false);
}

static uint64_t sum(uint64_t a, uint64_t b, uint64_t c)
{
    return size_add_saturated(size_add_saturated(a, b), c);
}

uint64_t account_claimed(const struct account *account, enum ledger_limit limit)
{
    const uint64_t claimed[LEDGER_LIMITS] = {
        [LEDGER_MAX_BYTES] = account->claimed_bytes,
        [LEDGER_MAX_PHYSICAL_BYTES] = account->claimed_physical_bytes,
        [LEDGER_MAX_MAPPED_BYTES] = account->claimed_mapped_bytes,
    };
    return claimed[limit];
}

/* Remembers this limit as the excess if it leaves less room than the one remembered before. */
static void excess_consider(struct ledger_excess *excess, const struct account *account, const struct account *asking,
                            enum ledger_limit limit, uint64_t asked)
{
    uint64_t limit_bytes = account_limit(account, limit);
    uint64_t used = account_used(account, limit);
    uint64_t reserved = account_held_back(account, asking, limit);
    uint64_t claimed = account_claimed(account, limit);
    uint64_t free_bytes = room(limit_bytes, sum(used, reserved, claimed));
    if (free_bytes >= asked) {
        return;
    }
    bool suffice = account_freeing(account, limit) &&
                   room(limit_bytes, sum(used - account_freeing(account, limit), reserved, claimed)) >= asked;
    bool tighter =
        !excess->account ||
        free_bytes <= room(excess->limit_bytes, sum(excess->used_bytes, excess->reserved_bytes, excess->claimed_bytes));
    uint64_t others = limit == LEDGER_MAX_MAPPED_BYTES ? 0 : held_back(account, asking, true);
    bool fits_ever = room(limit_bytes, others) >= asked && (!excess->account || excess->fits_ever);
    bool is_hosts_alone = account->reserves && (!excess->account || excess->is_hosts_alone);
    bool all_suffice = suffice && (!excess->account || excess->frees_suffice);
    if (tighter) {
        *excess = (struct ledger_excess){.account = account,
                                         .limit = limit,
                                         .limit_bytes = limit_bytes,
                                         .used_bytes = used,
                                         .asked_bytes = asked,
                                         .reserved_bytes = reserved,
                                         .claimed_bytes = claimed};
    }
    excess->is_hosts_alone = is_hosts_alone;
    excess->frees_suffice = all_suffice;
    excess->fits_ever = fits_ever;
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
    assert(account);
    assert(location == LOCATION_RAM || location == LOCATION_MMAP);
    for (size_t i = 0; i <= ACCOUNT_ABOVE_MAX; i++) {
        const struct account *at = i == 0 ? account : account->above[i - 1];
        for (enum ledger_limit limit = 0; at && limit < LEDGER_LIMITS; limit++) {
            if (ledger_limit_counts(limit, location)) {
                excess_consider(&excess, at, account, limit, bytes);
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
    for (size_t i = 0; i <= ACCOUNT_ABOVE_MAX; i++) {
        struct account *at = payer(account, i);
        if (at) {
            account_add(at, location, bytes);
        }
    }
    *ret_charge = (struct charge){.account = account, .location = location, .bytes = bytes};
}

static void account_add_freeing(struct account *account, enum location location, uint64_t bytes)
{
    *(location == LOCATION_RAM ? &account->freeing_physical_bytes : &account->freeing_mapped_bytes) += bytes;
}

void charge_begin_free(struct charge *charge)
{
    if (charge->freeing) {
        return;
    }
    charge->freeing = true;
    for (size_t i = 0; i <= ACCOUNT_ABOVE_MAX; i++) {
        struct account *at = payer(charge->account, i);
        if (at) {
            account_add_freeing(at, charge->location, charge->bytes);
        }
    }
}

void ledger_revoke(struct account *account, enum location location, uint64_t bytes, bool add)
{
    for (size_t i = 0; i <= ACCOUNT_ABOVE_MAX; i++) {
        struct account *at = payer(account, i);
        if (at) {
            uint64_t *revoking = location == LOCATION_RAM ? &at->revoking_physical_bytes : &at->revoking_mapped_bytes;
            assert(add || *revoking >= bytes);
            *revoking = add ? *revoking + bytes : *revoking - bytes;
        }
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
    for (size_t i = 0; i <= ACCOUNT_ABOVE_MAX; i++) {
        struct account *at = payer(charge->account, i);
        if (at) {
            account_subtract(at, charge);
        }
    }
    *charge = (struct charge){0};
}

void charge_reduce(struct charge *charge, uint64_t bytes)
{
    struct account *account = charge->account;
    enum location location = charge->location;
    bool freeing = charge->freeing;
    assert(bytes <= charge->bytes);
    charge_release(charge);
    ledger_restore(account, location, bytes, charge);
    if (freeing) {
        charge_begin_free(charge);
    }
}

/* ---- standing ---- */

/* Adds what `part` uses to `whole`, or takes it away. */
static void account_merge(struct account *whole, const struct account *part, bool add)
{
    const uint64_t sign = add ? 1 : UINT64_MAX; /* unsigned arithmetic wraps: times this is minus */
    whole->physical_bytes += sign * part->physical_bytes;
    whole->mapped_bytes += sign * part->mapped_bytes;
    whole->freeing_physical_bytes += sign * part->freeing_physical_bytes;
    whole->freeing_mapped_bytes += sign * part->freeing_mapped_bytes;
    whole->revoking_physical_bytes += sign * part->revoking_physical_bytes;
    whole->revoking_mapped_bytes += sign * part->revoking_mapped_bytes;
    whole->charges += (size_t)sign * part->charges;
}

void account_move(struct account *account, struct account *const above[ACCOUNT_ABOVE_MAX])
{
    for (size_t i = 0; i < ACCOUNT_ABOVE_MAX; i++) {
        if (account->above[i]) {
            account_merge(account->above[i], account, false);
        }
        account->above[i] = above[i];
        if (above[i]) {
            account_merge(above[i], account, true);
        }
    }
}

void account_set_reserve(struct account *account, struct account *host, uint64_t bytes)
{
    if (account->reserve_bytes) {
        LIST_REMOVE(account, in_reserves);
    }
    account->reserve_bytes = bytes;
    if (bytes) {
        LIST_INSERT_HEAD(host->reserves, account, in_reserves);
    }
}

/* ---- claims ---- */

static void add_claim(uint64_t *claimed, uint64_t bytes)
{
    *claimed = size_add_saturated(*claimed, bytes);
}

void ledger_claim(struct account *account, const struct account *last_physical, const struct account *last_mapped,
                  uint64_t bytes)
{
    bool in_ram = last_physical, in_files = last_mapped;
    for (size_t i = 0; i <= ACCOUNT_ABOVE_MAX && (in_ram || in_files); i++) {
        struct account *at = payer(account, i);
        if (at) {
            add_claim(&at->claimed_physical_bytes, in_ram ? bytes : 0);
            add_claim(&at->claimed_mapped_bytes, in_files ? bytes : 0);
            add_claim(&at->claimed_bytes, bytes);
            in_ram = in_ram && at != last_physical;
            in_files = in_files && at != last_mapped;
        }
    }
}

void ledger_forget_claims(struct account *account)
{
    for (size_t i = 0; i <= ACCOUNT_ABOVE_MAX; i++) {
        struct account *at = payer(account, i);
        if (at) {
            at->claimed_physical_bytes = at->claimed_mapped_bytes = at->claimed_bytes = 0;
        }
    }
}
