/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of the core's tables, executable. */
#include "daemon/core/broker_state.h"

struct sums {
    uint64_t physical, mapped, freeing_physical, freeing_mapped, charges;
};

static void add(struct sums *sums, const struct charge *charge)
{
    bool ram = charge->location == LOCATION_RAM;
    *(ram ? &sums->physical : &sums->mapped) += charge->bytes;
    if (charge->freeing) {
        *(ram ? &sums->freeing_physical : &sums->freeing_mapped) += charge->bytes;
    }
    sums->charges++;
}

static bool matches(const struct account *account, const struct sums *sums)
{
    return account->physical_bytes == sums->physical && account->mapped_bytes == sums->mapped &&
           account->freeing_physical_bytes == sums->freeing_physical &&
           account->freeing_mapped_bytes == sums->freeing_mapped && account->charges == sums->charges;
}

static const char *check_segment(const struct broker *broker, const struct segment *segment)
{
    const struct lease *lease = segment->lease;
    if (!lease) {
        return segment->charge.account == &broker->pool.account ? NULL : "a segment is nobody's";
    }
    bool freeing = segment->state == SEGMENT_FREEING || segment->doomed;
    if (segment->charge.account != &lease->session->account) {
        return "a segment is charged to another session's account";
    }
    if (segment->charge.bytes == 0 || segment->charge.bytes % broker->options.page_bytes) {
        return "a charge is not whole pages";
    }
    if (segment->charge.freeing != freeing) {
        return "a segment and its charge disagree on whether it is being freed";
    }
    if (segment->charge.location != lease->location) {
        return "a segment lies elsewhere than its lease";
    }
    if (segment->state == SEGMENT_LIVE && lease->state != LEASE_ALIVE) {
        return "a segment is lent out under a lease that is not alive";
    }
    return lease->state == LEASE_ENDED && !freeing ? "an ended lease keeps a segment" : NULL;
}

static const char *check_ledger(const struct broker *broker)
{
    struct sums sums = {0};
    uint64_t count = 0;
    const struct segment *segment = segment_tree_next(broker, 0);
    for (; segment; segment = segment_tree_next(broker, segment->id)) {
        const char *wrong = check_segment(broker, segment);
        if (wrong) {
            return wrong;
        }
        add(&sums, &segment->charge);
        count++;
    }
    if (!matches(&broker->host, &sums)) {
        return "the host's account is not the sum of its charges";
    }
    return count == broker->segment_count ? NULL : "the number of segments is wrong";
}

static const char *check_session(const struct broker *broker, const struct session *session, uint64_t *alive)
{
    struct sums sums = {0};
    uint64_t leases = 0;
    const struct lease *lease;
    const struct segment *segment;
    TAILQ_FOREACH(lease, &session->leases, in_session) {
        leases++;
        *alive += lease->state == LEASE_ALIVE;
        if (lease_table_find(&broker->leases, lease->id) != lease) {
            return "a session has a lease that the table does not";
        }
        uint64_t bytes = 0;
        TAILQ_FOREACH(segment, &lease->segments, in_lease) {
            bytes += segment->state == SEGMENT_LIVE ? segment->charge.bytes : 0;
        }
        if (bytes != lease->bytes) {
            return "a lease's size is not the sum of its segments";
        }
        const struct flow *flow = session->flow;
        const struct lease_pile *pile = lease->location == LOCATION_RAM ? &flow->ram : &flow->files;
        if (lease->pile != (lease->state == LEASE_ALIVE && !lease->revoke_at ? pile : NULL)) {
            return "a lease lies in a wrong pile, or in none";
        }
    }
    for (segment = segment_tree_next(broker, 0); segment; segment = segment_tree_next(broker, segment->id)) {
        if (segment->lease && segment->lease->session == session) {
            add(&sums, &segment->charge);
        }
    }
    if (session->state != SESSION_OVER) {
        const struct flow *flow = session->flow;
        if (!account_stands_under(&session->account, &flow->class->account) ||
            !account_stands_under(&session->account, &flow->account)) {
            return "a session does not stand under its flow and class";
        }
    }
    if (!matches(&session->account, &sums) || sums.charges != session->segment_count) {
        return "a session's account is not the sum of its charges";
    }
    return leases == session->lease_count ? NULL : "a session miscounts its leases";
}

static const char *check_sessions(const struct broker *broker)
{
    uint64_t alive = 0, count = 0;
    const char *wrong;
    const struct session *session = session_table_next(&broker->sessions, 0);
    for (; session; session = session_table_next(&broker->sessions, session->id)) {
        count++;
        wrong = check_session(broker, session, &alive);
        if (wrong) {
            return wrong;
        }
    }
    TAILQ_FOREACH(session, &broker->sessions.over, in_over) {
        wrong = check_session(broker, session, &alive);
        if (wrong) {
            return wrong;
        }
    }
    if (alive != broker->leases.alive) {
        return "the number of living leases is wrong";
    }
    return count == broker->sessions.count ? NULL : "the number of sessions is wrong";
}

/* Every account above is the sum of the sessions' below it; nothing is claimed between passes. */
static const char *check_party(const struct broker *broker, const struct account *account, bool is_flow)
{
    uint64_t physical = 0, mapped = 0;
    const struct segment *segment = segment_tree_next(broker, 0);
    for (; segment; segment = segment_tree_next(broker, segment->id)) {
        if (segment->lease && account_stands_under(segment->charge.account, account)) {
            *(segment->charge.location == LOCATION_RAM ? &physical : &mapped) += segment->charge.bytes;
        }
    }
    if (account->physical_bytes != physical || account->mapped_bytes != mapped) {
        return is_flow ? "a flow's account is not the sum of its sessions'"
                       : "a party's account is not that of its own";
    }
    bool is_claimed = account->claimed_physical_bytes || account->claimed_mapped_bytes || account->claimed_bytes;
    return is_claimed ? "a claim was forgotten" : NULL;
}

static const char *check_parties(const struct broker *broker)
{
    const struct party *party;
    const struct flow *flow;
    const char *wrong;
    for (int kind = 0; kind < PARTY_KINDS; kind++) {
        uint64_t sessions = 0;
        TAILQ_FOREACH(party, &broker->parties.parties[kind], in_table) {
            sessions += party->sessions;
            if ((wrong = check_party(broker, &party->account, false))) {
                return wrong;
            }
        }
        if (kind != PARTY_GROUP && sessions != broker->sessions.count) {
            return "the users or classes miscount their sessions";
        }
    }
    TAILQ_FOREACH(flow, &broker->parties.flows, in_table) {
        if ((wrong = check_party(broker, &flow->account, true))) {
            return wrong;
        }
    }
    return NULL;
}

static const char *check_waiting(const struct broker *broker)
{
    const struct flow *flow;
    const struct waiting *waiting;
    const struct party *user;
    uint64_t count = 0, by_users = 0, last;
    TAILQ_FOREACH(flow, &broker->parties.flows, in_table) {
        last = 0;
        TAILQ_FOREACH(waiting, &flow->waiting, in_flow) {
            if (waiting->flow != flow || waiting->session->flow != flow || waiting->number <= last) {
                return "a waiting request stands in the wrong place";
            }
            last = waiting->number;
            count++;
        }
    }
    TAILQ_FOREACH(user, &broker->parties.parties[PARTY_USER], in_table) {
        by_users += user->waiting;
    }
    if (by_users != count) {
        return "the users miscount what waits";
    }
    return count == broker->waiting_count ? NULL : "the number of waiting requests is wrong";
}

const char *broker_check(const struct broker *broker)
{
    const char *wrong = check_ledger(broker);
    wrong = wrong ? wrong : check_sessions(broker);
    wrong = wrong ? wrong : check_parties(broker);
    wrong = wrong ? wrong : check_waiting(broker);
    return wrong ? wrong : pool_check(broker);
}
