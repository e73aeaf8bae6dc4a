/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: who holds how many bytes of what, against which limit.
 *
 * Accounts form a tree: a session's account stands under the host's. A charge pays for the bytes of
 * one segment in its account and in every account above, and it lives inside the segment that it pays for.
 * Bytes are reserved before the segment is made and released after the kernel has freed them, so
 * that at every instant the ledger holds at least what exists, and never more than a limit allows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/message.h"

struct account {
    struct account *parent; /* NULL: the host's account */
    const char *whose;      /* "host" or "client"; static storage */
    struct byte_limits limits;
    uint64_t physical_bytes, mapped_bytes;
    uint64_t freeing_physical_bytes, freeing_mapped_bytes; /* part of the above: ended, not yet freed */
    size_t charges;
};

struct charge {
    struct account *account; /* NULL: nothing is charged */
    enum location location;  /* LOCATION_RAM or LOCATION_MMAP */
    bool freeing;
    uint64_t bytes;
};

enum ledger_limit { LEDGER_MAX_BYTES, LEDGER_MAX_PHYSICAL_BYTES, LEDGER_MAX_MAPPED_BYTES, LEDGER_LIMITS };

/* Which limit a reservation would exceed. */
struct ledger_excess {
    const struct account *account;
    enum ledger_limit limit;
    uint64_t limit_bytes, used_bytes, asked_bytes;
    bool frees_suffice; /* it would fit once the bytes that are being freed are free */
};

enum { LEDGER_E_LIMIT = 1 };

void account_init(struct account *account, struct account *parent, const char *whose, const struct byte_limits *limits);

/* An account must have no charges left when it ends. */
void account_deinit(const struct account *account);

/*
 * Charges `bytes` to the account and all above it. Returns 0; or LEDGER_E_LIMIT and *ret_excess,
 * the account nearest to the root with the least room, and nothing is charged.
 */
int ledger_reserve(struct account *account, enum location location, uint64_t bytes, struct charge *ret_charge,
                   struct ledger_excess *ret_excess);

/* Charges what is there already, whatever the limits are: after a restart. */
void ledger_restore(struct account *account, enum location location, uint64_t bytes, struct charge *ret_charge);

/* The charged bytes have no user any more and are on their way back to the kernel. Idempotent. */
void charge_begin_free(struct charge *charge);

/* The bytes are gone. */
void charge_release(struct charge *charge);

/* What an account uses of what a limit counts. */
uint64_t account_used(const struct account *account, enum ledger_limit limit);
uint64_t account_limit(const struct account *account, enum ledger_limit limit);

/* The limit's name, as in the configuration. */
const char *ledger_limit_name(enum ledger_limit limit);
