/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: who holds how many bytes of what, against which limit.
 *
 * A session's account stands under others: its share's, its user's, its group's, its class's and the host's. A charge
 * pays for the bytes of one segment in its account and in every account above, and it lives inside the segment that it
 * pays for.
 *
 * An account may have a reserve: RAM that is guaranteed to it. What of it is not used is held back from everybody
 * who does not stand under that account.
 * Bytes are reserved before the segment is made and released after the kernel has freed them, so
 * that at every instant the ledger holds at least what exists, and never more than a limit allows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/location.h"
#include "proto/message.h"

enum { ACCOUNT_ABOVE_MAX = 5 };

struct block;
TAILQ_HEAD(idle_blocks, block);

struct account {
    struct account *above[ACCOUNT_ABOVE_MAX]; /* the host's last; NULL: none */
    const char *whose;                        /* such as "host", "client" or "class training"; outlives the account */
    uint64_t reserve_bytes;
    bool is_told_first;                   /* in a refusal, of two limits that leave the same room */
    LIST_ENTRY(account) in_reserves;      /* of the host, where it has a reserve */
    uint64_t needed_bytes[LEDGER_LIMITS]; /* by limit: of what will be taken, for requests that wait; as of this pass
                                             over them: */
    uint64_t needed_in_pass;
    uint64_t spare_bytes;          /* above the reserve: for the estimate of what can be taken */
    struct account_list *reserves; /* the host's own: all accounts with one; NULL in others */
    /* By waiting requests before the one that is looked at. A request that may go to any location claims its bytes in
     * each of them, and once in the sum. */
    uint64_t claimed[LOCATIONS], claimed_sum;
    struct byte_limits limits;
    uint64_t used[LOCATIONS];
    uint64_t peak[LOCATIONS], peak_sum; /* the most that was used, of each and of all together */
    uint64_t freeing[LOCATIONS];        /* part of `used`: ended, and not freed yet */
    uint64_t revoking[LOCATIONS];       /* part of `used`: will be taken for waiting requests */
    size_t charges;
    struct idle_blocks idle[LOCATIONS]; /* under it: those that may be evicted, the longest unused first */
};

LIST_HEAD(account_list, account);

struct charge {
    struct account *account; /* NULL: nothing is charged */
    enum location location;
    bool freeing;
    uint64_t bytes;
};

/* Which limit a reservation would exceed. */
struct ledger_excess {
    const struct account *account;
    enum ledger_limit limit;
    uint64_t limit_bytes, used_bytes, asked_bytes;
    uint64_t reserved_bytes; /* of the limit, held back for others' reserves */
    uint64_t claimed_bytes;  /* of the limit, claimed by requests that wait already */
    bool is_hosts_alone;     /* no limit but the host's own is in the way */
    bool fits_ever;          /* it would if all others held only their reserves */
    bool frees_suffice;      /* bytes are being freed, and then it would fit beside the claims */
};

enum { LEDGER_E_LIMIT = 1 };

void account_init(struct account *account, const char *whose, const struct byte_limits *limits);

/* Puts an account under up to ACCOUNT_ABOVE_MAX others, taking what it uses out of those it stood under before. */
void account_move(struct account *account, struct account *const above[ACCOUNT_ABOVE_MAX]);

/* Guarantees so much RAM to the account; 0: none. */
void account_set_reserve(struct account *account, struct account *host, uint64_t bytes);

/* What an account uses and is not about to give back. */
uint64_t account_held(const struct account *account);

/* Whether the first stands under the other, or is the same. */
bool account_is_descendant_of(const struct account *account, const struct account *other);

/* What of its reserve an account does not use. */
uint64_t account_unfilled_reserve(const struct account *account);

/* An account must have no charges left when it ends. */
void account_deinit(struct account *account);

/*
 * Charges `bytes` to the account and all above it. Returns 0; or LEDGER_E_LIMIT and *ret_excess,
 * the account nearest to the root with the least room, and nothing is charged.
 */
int ledger_reserve(struct account *account, enum location location, uint64_t bytes, struct charge *ret_charge,
                   struct ledger_excess *ret_excess);

/*
 * A request of so many bytes waits: they are not free to the requests that are looked at after it, until
 * ledger_forget_claims(), which takes all claims off the account and those above it. In each location it claims up to
 * the account that has no room for it (NULL: nothing). So a request that its user's limit holds up delays that user's
 * requests only.
 */
void ledger_claim(struct account *account, const struct account *const up_to[LOCATIONS], uint64_t bytes);
void ledger_forget_claims(struct account *account);

/* Charges what is there already, whatever the limits are: after a restart. */
void ledger_restore(struct account *account, enum location location, uint64_t bytes, struct charge *ret_charge);

/* The charged bytes have no user any more and are on their way back to the kernel. Idempotent. */
void charge_begin_free(struct charge *charge);

/* It was charged for more than it is to have: from now on it pays for `bytes`. */
void charge_reduce(struct charge *charge, uint64_t bytes);

/* The bytes are gone. */
void charge_release(struct charge *charge);

/* The sum of what a limit counts, of an account's bytes by location: used, freeing or revoking. */
uint64_t ledger_counted(const uint64_t by_location[LOCATIONS], enum ledger_limit limit);

/* What an account uses of what a limit counts; and its limit. */
uint64_t account_used(const struct account *account, enum ledger_limit limit);
uint64_t account_limit(const struct account *account, enum ledger_limit limit);

/* What of the limit is claimed by requests that wait, in the present walk over them; and what of the host's is held
 * back from `asking` for others' reserves. */
uint64_t account_claimed(const struct account *account, enum ledger_limit limit);
uint64_t account_held_back(const struct account *account, const struct account *asking, enum ledger_limit limit);

/* So many bytes more, or less, will be taken for waiting requests. */
void ledger_revoke(struct account *account, enum location location, uint64_t bytes, bool add);

/* The limit of one location alone. */
enum ledger_limit ledger_limit_of(enum location location);

/* Whether the limit counts what is in this location. */
bool ledger_limit_counts(enum ledger_limit limit, enum location location);

/* What of the limit is used, held back or claimed. */
uint64_t ledger_taken(const struct ledger_excess *excess);

/* What must come free for the reservation beside `coming`, which is on its way back already. */
uint64_t ledger_lacks(const struct ledger_excess *excess, uint64_t coming);
