/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/ahead.h"

#include <string.h>

#include "proto/base/text.h"

enum { LOOKS_PER_SHARE = 4 }; /* its first requests, which are served first */

/* What lacks, and at whose account. */
struct claimed {
    const struct account *account;
    enum ledger_limit limit;
    bool is_leases;
};

/* How far above an account another one is, if it is; else farther than any. */
static size_t distance(const struct account *own, const struct account *other)
{
    size_t above = 0;
    for (const struct account *at = own; at != other && above <= ACCOUNT_ABOVE_MAX; above++) {
        at = above < ACCOUNT_ABOVE_MAX ? own->above[above] : NULL;
    }
    return above;
}

/* Whether what a session claims up to `last` counts at an account. NULL: it claims nothing. */
static bool reaches(const struct account *own, const struct account *last, const struct account *account)
{
    return last && distance(own, account) <= distance(own, last);
}

static bool claims(const struct waiting *waiting, const struct claimed *claimed)
{
    const struct account *own = &waiting->session->account;
    if (!waiting->has_claimed) {
        return false;
    }
    if (claimed->is_leases) {
        return reaches(own, waiting->last_lease, claimed->account);
    }
    FOR_EACH_LOCATION(location)
    {
        if (ledger_limit_counts(claimed->limit, location) &&
            reaches(own, waiting->claims_up_to[location], claimed->account)) {
            return true;
        }
    }
    return false;
}

/* Files the request among the largest, most first. */
static void rank(const struct waiting *waiting, const struct waiting *largest[])
{
    for (size_t i = 0; i < MESSAGE_HOLDERS_MAX; i++) {
        if (!largest[i] || waiting->demand.bytes > largest[i]->demand.bytes) {
            memmove(&largest[i + 1], &largest[i], (MESSAGE_HOLDERS_MAX - 1 - i) * sizeof(const struct waiting *));
            largest[i] = waiting;
            return;
        }
    }
}

static void rank_share(const struct share *share, const struct claimed *claimed, const struct waiting *largest[])
{
    const struct waiting *waiting;
    int looks = 0;
    TAILQ_FOREACH(waiting, &share->waiting, in_share) {
        if (looks++ == LOOKS_PER_SHARE) {
            return;
        }
        if (claims(waiting, claimed)) {
            rank(waiting, largest);
        }
    }
}

void ahead_fill(const struct broker *broker, const struct denial *denial, struct refusal *refusal)
{
    const struct claimed claimed = {denial->excess.account, denial_limit(denial), denial->full};
    const struct waiting *largest[MESSAGE_HOLDERS_MAX + 1] = {NULL};
    const struct share *share;
    refusal->ahead_count = 0;
    if (!refusal->claimed_bytes) {
        return;
    }
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        rank_share(share, &claimed, largest);
    }
    for (size_t i = 0; i < MESSAGE_HOLDERS_MAX && largest[i]; i++) {
        const struct session *session = largest[i]->session;
        struct holder *ahead = &refusal->ahead[refusal->ahead_count++];
        *ahead = (struct holder){.session = session->id,
                                 .pid = session->identity.pid,
                                 .uid = session->identity.uid,
                                 .bytes = largest[i]->demand.bytes};
        text_copy(ahead->name, sizeof ahead->name, session->name);
    }
}
