/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of accounts. A reservation looks at every limit of every account before it changes
 * any of them, so that a refusal leaves no trace.
 */
#include "daemon/core/ledger.h"

#include <assert.h>
#include <string.h>

#include "daemon/core/reserve.h"
#include "proto/base/size.h"

void account_init(struct account *account, const char *whose, const struct byte_limits *limits)
{
    *account = (struct account){.whose = whose, .limits = *limits};
    FOR_EACH_LOCATION(location)
    {
        TAILQ_INIT(&account->idle[location]);
    }
}

/* Walks from an account up: itself first, the host's last. NULL ends. */
static struct account *next_payer(struct account *account, size_t *at)
{
    assert(account);
    while (*at <= ACCOUNT_ABOVE_MAX) {
        size_t position = (*at)++;
        struct account *payer = position == 0 ? account : account->above[position - 1];
        if (payer) {
            return payer;
        }
    }
    return NULL;
}

void account_deinit(struct account *account)
{
    if (account->reserve_bytes) {
        LIST_REMOVE(account, in_reserves);
    }
    assert(account->charges == 0 && account_used(account, LEDGER_MAX_BYTES) == 0);
}

enum ledger_limit ledger_limit_of(enum location location)
{
    assert(location_holds_bytes(location));
    return location_facts[location].limit;
}

bool ledger_limit_counts(enum ledger_limit limit, enum location location)
{
    return limit == LEDGER_MAX_BYTES || limit == ledger_limit_of(location);
}

uint64_t ledger_counted(const uint64_t by_location[LOCATIONS], enum ledger_limit limit)
{
    uint64_t bytes = 0;
    FOR_EACH_LOCATION(location)
    {
        bytes += ledger_limit_counts(limit, location) ? by_location[location] : 0;
    }
    return bytes;
}

uint64_t account_used(const struct account *account, enum ledger_limit limit)
{
    return ledger_counted(account->used, limit);
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

/* A limit that is off still ends far below 64 bits, so that no sum can wrap. */
static uint64_t room(uint64_t limit, uint64_t used)
{
    return size_subtract_floored(size_min(limit, UINT64_MAX / 4), used);
}

uint64_t account_held(const struct account *account)
{
    return ledger_counted(account->used, LEDGER_MAX_BYTES) - ledger_counted(account->freeing, LEDGER_MAX_BYTES);
}

bool account_is_descendant_of(const struct account *account, const struct account *other)
{
    bool under = account == other;
    for (size_t i = 0; !under && i < ACCOUNT_ABOVE_MAX; i++) {
        under = account->above[i] == other;
    }
    return under;
}

enum when { NOW, WHEN_ALL_IS_FREED /* that is being freed */, WHEN_UNUSED };

/* What of its reserve an account does not use: what it gives back goes back to its reserve. */
static uint64_t unfilled(const struct account *account, enum when when)
{
    uint64_t used = when == WHEN_UNUSED ? 0 : account->used[LOCATION_RESERVED];
    uint64_t freed = when == WHEN_ALL_IS_FREED ? account->freeing[LOCATION_RESERVED] : 0;
    return size_subtract_floored(account->reserve_bytes, used - freed);
}

uint64_t account_unfilled_reserve(const struct account *account)
{
    return unfilled(account, NOW);
}

/* What the host holds back from this account for others' reserves. */
static uint64_t held_back(const struct account *host, const struct account *account, enum ledger_limit limit,
                          enum when when)
{
    const struct account *other;
    uint64_t bytes = 0;
    if (!host->reserves || !ledger_limit_counts(limit, LOCATION_RESERVED)) {
        return 0;
    }
    LIST_FOREACH(other, host->reserves, in_reserves) {
        bytes += account_is_descendant_of(account, other) ? 0 : unfilled(other, when);
    }
    return bytes;
}

uint64_t account_held_back(const struct account *account, const struct account *asking, enum ledger_limit limit)
{
    return held_back(account, asking, limit, NOW);
}

static uint64_t sum(uint64_t a, uint64_t b, uint64_t c)
{
    return size_add_saturated(size_add_saturated(a, b), c);
}

uint64_t ledger_taken(const struct ledger_excess *excess)
{
    return sum(excess->used_bytes, excess->reserved_bytes, excess->claimed_bytes);
}

uint64_t ledger_lacks(const struct ledger_excess *excess, uint64_t coming)
{
    return size_subtract_floored(size_add_saturated(ledger_taken(excess), excess->asked_bytes),
                                 size_add_saturated(excess->limit_bytes, coming));
}

uint64_t account_claimed(const struct account *account, enum ledger_limit limit)
{
    return limit == LEDGER_MAX_BYTES ? account->claimed_sum : ledger_counted(account->claimed, limit);
}

/* A limit that the request can never fit is told before those that are only used up: to wait or to free would not help.
 */
static bool is_told_rather(const struct ledger_excess *before, uint64_t free_bytes, bool fits_ever)
{
    if (!before->account || fits_ever != before->fits_ever) {
        return !before->account || !fits_ever;
    }
    uint64_t least = room(before->limit_bytes, ledger_taken(before));
    return free_bytes < least || (free_bytes == least && !before->account->is_told_first);
}

/* Remembers this limit as the excess if it is to be told rather than the one remembered before. */
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
    uint64_t freeing = ledger_counted(account->freeing, limit);
    uint64_t reserved_then = held_back(account, asking, limit, WHEN_ALL_IS_FREED);
    bool suffice = freeing && room(limit_bytes, sum(used - freeing, reserved_then, claimed)) >= asked;
    uint64_t others = held_back(account, asking, limit, WHEN_UNUSED);
    bool fits_this_ever = room(limit_bytes, others) >= asked;
    bool fits_ever = fits_this_ever && (!excess->account || excess->fits_ever);
    bool is_hosts_alone = account->reserves && (!excess->account || excess->is_hosts_alone);
    bool all_suffice = suffice && (!excess->account || excess->frees_suffice);
    if (is_told_rather(excess, free_bytes, fits_this_ever)) {
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

static void note_peak(struct account *account)
{
    uint64_t sum = 0;
    FOR_EACH_LOCATION(location)
    {
        account->peak[location] = size_max(account->peak[location], account->used[location]);
        sum += account->used[location];
    }
    account->peak_sum = size_max(account->peak_sum, sum);
}

static void account_add(struct account *account, enum location location, uint64_t bytes)
{
    account->used[location] += bytes;
    account->charges++;
    note_peak(account);
}

int ledger_reserve(struct account *account, enum location location, uint64_t bytes, struct charge *ret_charge,
                   struct ledger_excess *ret_excess)
{
    struct ledger_excess excess = {0};
    assert(account);
    assert(location_holds_bytes(location));
    const struct account *payer;
    for (size_t at = 0; (payer = next_payer(account, &at));) {
        for (enum ledger_limit limit = 0; limit < LEDGER_LIMITS; limit++) {
            if (ledger_limit_counts(limit, location)) {
                excess_consider(&excess, payer, account, limit, bytes);
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
    struct account *payer;
    for (size_t at = 0; (payer = next_payer(account, &at));) {
        account_add(payer, location, bytes);
    }
    *ret_charge = (struct charge){.account = account, .location = location, .bytes = bytes};
}

void charge_begin_free(struct charge *charge)
{
    struct account *payer;
    if (charge->freeing) {
        return;
    }
    charge->freeing = true;
    for (size_t at = 0; (payer = next_payer(charge->account, &at));) {
        payer->freeing[charge->location] += charge->bytes;
    }
}

void ledger_revoke(struct account *account, enum location location, uint64_t bytes, bool add)
{
    struct account *payer;
    for (size_t at = 0; (payer = next_payer(account, &at));) {
        uint64_t *revoking = &payer->revoking[location];
        assert(add || *revoking >= bytes);
        *revoking = add ? *revoking + bytes : *revoking - bytes;
    }
}

static void account_subtract(struct account *account, const struct charge *charge)
{
    uint64_t *used = &account->used[charge->location], *freeing = &account->freeing[charge->location];
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
    struct account *payer;
    for (size_t at = 0; (payer = next_payer(charge->account, &at));) {
        account_subtract(payer, charge);
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
    FOR_EACH_LOCATION(location)
    {
        whole->used[location] += sign * part->used[location];
        whole->freeing[location] += sign * part->freeing[location];
        whole->revoking[location] += sign * part->revoking[location];
    }
    whole->charges += (size_t)sign * part->charges;
    note_peak(whole);
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

void ledger_claim(struct account *account, const struct account *const up_to[LOCATIONS], uint64_t bytes)
{
    const struct account *last[LOCATIONS]; /* NULL: it claims no further */
    struct account *payer;
    memcpy(last, up_to, sizeof last);
    for (size_t at = 0; (payer = next_payer(account, &at));) {
        bool claims = false;
        FOR_EACH_LOCATION(location)
        {
            if (last[location]) {
                payer->claimed[location] = size_add_saturated(payer->claimed[location], bytes);
                last[location] = last[location] == payer ? NULL : last[location];
                claims = true;
            }
        }
        payer->claimed_sum = size_add_saturated(payer->claimed_sum, claims ? bytes : 0);
    }
}

void ledger_forget_claims(struct account *account)
{
    struct account *payer;
    for (size_t at = 0; (payer = next_payer(account, &at));) {
        FOR_EACH_LOCATION(location)
        {
            payer->claimed[location] = 0;
        }
        payer->claimed_sum = 0;
    }
}
