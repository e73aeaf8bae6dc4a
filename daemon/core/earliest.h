/* SPDX-License-Identifier: Apache-2.0 */
/* When enough could come free. */
#pragma once

#include "daemon/core/broker_state.h"

enum {
    EARLIEST_LOOKS = 8192,   /* at leases, for one question */
    EARLIEST_BUCKETS = 384,  /* of time: exact below 16 ms, then eight to each doubling */
    EARLIEST_REMEMBERED = 8, /* accounts and limits */
};

/* What comes free when, as it was at a time: of one account's limit, for the sessions of one share. */
struct forecast {
    const struct account *account;
    const struct share *share;
    enum ledger_limit limit;
    bool counts_leases; /* not bytes */
    uint64_t at;        /* 0: nothing is remembered here */
    struct {
        uint64_t amount, latest;
    } buckets[EARLIEST_BUCKETS];
};

/* What a session lacks: bytes of what an account's limit counts, or leases. */
struct shortage {
    const struct session *session;
    const struct account *account;
    enum ledger_limit limit;
    bool counts_leases;
    uint64_t lacking;
};

/*
 * If no lease is renewed and none comes: in how many milliseconds the leases that end first have given back what lacks.
 * UINT64_MAX: never, or it is not known: only so many leases are looked at, those first that are due first, as long as
 * *looks lasts. What was found is remembered for a second.
 */
uint64_t earliest_ms(struct broker *broker, const struct shortage *shortage, uint64_t now, size_t *looks);
