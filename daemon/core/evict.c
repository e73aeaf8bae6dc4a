/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blocks to evict. Whether it helps is tried on the ledger itself: the charges of the candidates are taken off,
 * one after the other, until the request would fit beside all claims and reserves; then all are put back. So what
 * another's reserve would take is never counted on, and nothing is evicted in vain.
 */
#include "daemon/core/evict.h"

#include "daemon/core/host_room.h"
#include "proto/base/size.h"

enum {
    CANDIDATES_MAX = 256, /* that are looked at for one request */
    EFFECTS_EACH = 5,     /* the block's end, its segment's, and its publisher's lease */
};

struct candidate {
    struct block *block;
    uint64_t bytes;
    enum location location;
    bool is_off; /* its charge is taken off */
};

struct trial {
    struct account *account;
    uint64_t bytes;
    enum location location;
    size_t count;
    struct candidate candidates[CANDIDATES_MAX];
    uint64_t released; /* of those that are taken off: the host's memory */
};

static uint64_t memory_of(const struct candidate *candidate)
{
    return location_is_memory(candidate->location) ? candidate->bytes : 0;
}

static void take_off(struct trial *trial, struct candidate *candidate)
{
    charge_release(&candidate->block->segment->charge);
    candidate->is_off = true;
    trial->released += memory_of(candidate);
}

static void put_back(struct trial *trial, struct candidate *candidate)
{
    ledger_restore(&candidate->block->account, candidate->location, candidate->bytes,
                   &candidate->block->segment->charge);
    candidate->is_off = false;
    trial->released -= memory_of(candidate);
}

/* Whether the host would have the memory when all that is being freed is free. */
static bool has_memory(const struct broker *broker, const struct trial *trial)
{
    uint64_t freeing = ledger_counted(broker->host.freeing, LEDGER_MAX_PHYSICAL_BYTES) + trial->released;
    uint64_t wanted = size_add_saturated(trial->bytes, account_claimed(&broker->host, LEDGER_MAX_PHYSICAL_BYTES));
    return wanted <= size_add_saturated(host_room_bytes(broker), freeing);
}

/* Whether the limits, and what the host has, would let the request pass when all that is being freed is free. */
static bool would_fit(const struct broker *broker, const struct trial *trial)
{
    struct ledger_excess excess;
    struct charge charge;
    if (location_is_memory(trial->location) && !has_memory(broker, trial)) {
        return false;
    }
    if (ledger_reserve(trial->account, trial->location, trial->bytes, &charge, &excess) == 0) {
        charge_release(&charge);
        return true;
    }
    return excess.frees_suffice;
}

/*
 * Takes candidates off until the request fits. False: they do not do. `place`: where the account whose limit is in the
 * way stands above the one that asks. Blocks that do not stand under it are not looked at: there may be very many.
 */
static bool find_in(const struct broker *broker, size_t place, enum location location, struct trial *trial)
{
    struct block *block;
    bool fits = false;
    TAILQ_FOREACH(block, &trial->account->above[place]->idle[location], in_idle[place]) {
        if (fits || trial->count == CANDIDATES_MAX) {
            break;
        }
        struct candidate *candidate = &trial->candidates[trial->count++];
        *candidate = (struct candidate){block, block->segment->charge.bytes, location, false};
        take_off(trial, candidate);
        fits = would_fit(broker, trial);
    }
    return fits;
}

/* First where the request wants its bytes, then where else they count against the limit that is in the way. */
static bool find(const struct broker *broker, size_t place, enum ledger_limit limit, struct trial *trial)
{
    bool fits = find_in(broker, place, trial->location, trial);
    FOR_EACH_LOCATION(location)
    {
        bool is_other = location != trial->location && ledger_limit_counts(limit, location);
        fits = fits || (is_other && find_in(broker, place, location, trial));
    }
    return fits;
}

/* ACCOUNT_ABOVE_MAX: the limit is the session's own, under which no block stands. */
static size_t place_above(const struct account *account, const struct account *wanted)
{
    size_t place = 0;
    while (place < ACCOUNT_ABOVE_MAX && account->above[place] != wanted) {
        place++;
    }
    return place;
}

/* Keeps those that are not needed, the latest used first: a small one was taken off before a large one that does alone.
 */
static void spare(const struct broker *broker, struct trial *trial)
{
    for (size_t i = trial->count - 1; i-- > 0;) {
        put_back(trial, &trial->candidates[i]);
        if (!would_fit(broker, trial)) {
            take_off(trial, &trial->candidates[i]);
        }
    }
}

/* Its bytes count as coming free from now on; its publisher's lease is ended at the end of the step. */
static void evict(struct step *step, struct block *block)
{
    if (block->publisher) {
        block_note_evicted(step->broker, block);
    }
    step->broker->blocks.figures.evicted++;
    block_condemn(step, block, END_EVICTED, NULL);
}

static bool is_possible(const struct step *step, const struct denial *denial, size_t place)
{
    return !step->keeps_blocks && place < ACCOUNT_ABOVE_MAX && !denial->is_paused && denial->excess.fits_ever;
}

bool evict_for(struct step *step, struct account *account, uint64_t bytes, const struct denial *denial)
{
    struct trial trial = {.account = account, .bytes = bytes, .location = denial->location};
    size_t place = place_above(account, denial->excess.account);
    if (!is_possible(step, denial, place)) {
        return false;
    }
    bool fits = find(step->broker, place, denial_limit(denial), &trial);
    if (fits) {
        spare(step->broker, &trial);
        step->has_evicted = true;
    }
    for (size_t i = 0; i < trial.count; i++) {
        struct candidate *candidate = &trial.candidates[i];
        bool is_chosen = candidate->is_off && fits;
        if (candidate->is_off) {
            put_back(&trial, candidate);
        }
        if (is_chosen && effect_room(step->effects) > (size_t)EFFECTS_FOR_ONE_LEASE + EFFECTS_EACH) {
            evict(step, candidate->block);
        }
    }
    return fits;
}
