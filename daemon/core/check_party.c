/* SPDX-License-Identifier: Apache-2.0 */
/* Parties and flows: what they count is what their sessions come to, and each lives because somebody refers to it. */
#include "daemon/core/check.h"

#include <string.h>

struct counts {
    uint64_t sessions, leases, waiting, under_way;
    size_t references; /* of sessions, those that are over too */
};

static struct party *party_of(const struct flow *flow, enum party_kind kind)
{
    struct party *const parties[PARTY_KINDS] = {flow->user, flow->group, flow->class};
    return parties[kind];
}

static void add_session(struct counts *counts, const struct session *session)
{
    counts->sessions += session->state != SESSION_OVER;
    counts->leases += session->lease_count;
    counts->waiting += session->waiting_count;
    counts->under_way += session->waiting_count + session->makings;
    counts->references++;
}

/* What the sessions of one flow come to, or of all flows of a party. */
static struct counts counts_of(const struct broker *broker, const struct flow *flow, const struct party *party)
{
    struct counts counts = {0};
    const struct session *session = check_walk_next(broker, NULL);
    for (; session; session = check_walk_next(broker, session)) {
        if (session->flow == flow || (party && party_of(session->flow, party->kind) == party)) {
            add_session(&counts, session);
        }
    }
    return counts;
}

static size_t flows_of(const struct broker *broker, const struct party *party)
{
    const struct flow *flow;
    size_t count = 0;
    TAILQ_FOREACH(flow, &broker->parties.flows, in_table) {
        count += party_of(flow, party->kind) == party;
    }
    return count;
}

static const char *check_party(const struct broker *broker, const struct party *party)
{
    const struct counts counts = counts_of(broker, NULL, party);
    bool is_user = party->kind == PARTY_USER;
    const char *wrong = NULL;
    wrong = require(wrong, party->sessions == counts.sessions, "a party miscounts its sessions");
    wrong = require(wrong, party->leases == counts.leases, "a party miscounts its leases");
    wrong = require(wrong, !party->claimed_leases, "a claim (claimed_leases) was forgotten");
    wrong = require(wrong, party->waiting == (is_user ? counts.waiting : 0), "a user miscounts what waits (waiting)");
    wrong = require(wrong, party->under_way == (is_user ? counts.under_way : 0),
                    "a user miscounts what is under way (under_way)");
    wrong = require(wrong, party->references == flows_of(broker, party), "a party miscounts its references");
    wrong = require(wrong, party->references || party->is_named, "a party that nobody refers to lives");
    return require(wrong, memcmp(&party->account.limits, &party->quota.limits, sizeof party->quota.limits) == 0,
                   "a party's account has other limits than its quota");
}

const char *check_parties(const struct broker *broker)
{
    const struct party *party;
    const struct flow *flow;
    const char *wrong = NULL;
    for (int kind = 0; kind < PARTY_KINDS; kind++) {
        TAILQ_FOREACH(party, &broker->parties.parties[kind], in_table) {
            wrong = wrong ? wrong : check_party(broker, party);
        }
    }
    TAILQ_FOREACH(flow, &broker->parties.flows, in_table) {
        const struct counts counts = counts_of(broker, flow, NULL);
        wrong = require(wrong, flow->references == counts.references, "a flow miscounts its references");
        wrong = require(wrong, flow->references > 0, "a flow that nobody refers to lives");
    }
    return wrong;
}
