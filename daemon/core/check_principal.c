/* SPDX-License-Identifier: Apache-2.0 */
/* Principals and shares: their counts are the sums over their sessions, and each is referred to. */
#include "daemon/core/check.h"

#include <string.h>

struct counts {
    uint64_t sessions, blocks, views, watches, leases, waiting, waiting_bytes, under_way;
    size_t references; /* of sessions, those that are over too */
};

static struct principal *principal_of(const struct share *share, enum principal_kind kind)
{
    struct principal *const principals[PRINCIPAL_KINDS] = {share->user, share->group, share->class};
    return principals[kind];
}

static uint64_t views_of(const struct session *session)
{
    const struct lease *lease = session_next_lease(session, 0);
    uint64_t views = 0;
    for (; lease; lease = session_next_lease(session, lease->id)) {
        views += lease->block && lease->block->publisher != lease;
    }
    return views;
}

static void add_session(struct counts *counts, const struct session *session)
{
    const struct waiting *waiting;
    counts->sessions += session->state != SESSION_OVER;
    counts->leases += session->lease_count;
    counts->views += views_of(session);
    counts->watches += session->watch_count;
    counts->waiting += session->waiting_count;
    counts->under_way += session->waiting_count + session->makings;
    counts->references++;
    TAILQ_FOREACH(waiting, &session->waiting, in_session) {
        counts->waiting_bytes += waiting->demand.bytes;
    }
}

/* A block that is being written is known by its lease, one that was published by its segment. */
static void add_blocks(struct counts *counts, const struct broker *broker, const struct share *share,
                       const struct principal *principal)
{
    const struct segment *segment = segment_tree_next(broker, 0);
    for (; segment; segment = segment_tree_next(broker, segment->id)) {
        const struct share *its = segment->block ? segment->block->share : NULL;
        bool is_in = its && (its == share || (principal && principal_of(its, principal->kind) == principal));
        counts->references += is_in;
        counts->blocks += is_in && segment->block->state != BLOCK_FREEING;
    }
}

static void add_boards(struct counts *counts, const struct broker *broker, const struct share *share,
                       const struct principal *principal)
{
    const struct board *board;
    TAILQ_FOREACH(board, &broker->boards.boards, in_table) {
        bool is_below = principal && principal_of(board->share, principal->kind) == principal;
        counts->references += board->share == share || is_below;
    }
}

/* What the sessions of one share come to, or of all shares of a principal. */
static struct counts counts_of(const struct broker *broker, const struct share *share,
                               const struct principal *principal)
{
    struct counts counts = {0};
    const struct session *session = check_walk_next(broker, NULL);
    add_blocks(&counts, broker, share, principal);
    add_boards(&counts, broker, share, principal);
    for (; session; session = check_walk_next(broker, session)) {
        if (session->share == share || (principal && principal_of(session->share, principal->kind) == principal)) {
            add_session(&counts, session);
        }
    }
    return counts;
}

static size_t shares_of(const struct broker *broker, const struct principal *principal)
{
    const struct share *share;
    size_t count = 0;
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        count += principal_of(share, principal->kind) == principal;
    }
    return count;
}

static const char *check_principal(const struct broker *broker, const struct principal *principal)
{
    const struct counts counts = counts_of(broker, NULL, principal);
    bool is_user = principal->kind == PRINCIPAL_USER;
    const char *wrong = NULL;
    wrong = require(wrong, principal->sessions == counts.sessions, "a principal miscounts its sessions");
    wrong = require(wrong, principal->leases == counts.leases, "a principal miscounts its leases");
    wrong = require(wrong, principal->blocks == (is_user ? counts.blocks : 0), "a user miscounts its blocks");
    wrong = require(wrong, principal->watches == (is_user ? counts.watches : 0), "a user miscounts its watches");
    wrong = require(wrong, principal->views == (is_user ? counts.views : 0), "a user miscounts its views");
    wrong = require(wrong, !principal->claimed_leases, "a claim (claimed_leases) was forgotten");
    wrong = require(wrong, principal->waiting == counts.waiting, "a principal miscounts what waits (waiting)");
    wrong = require(wrong, principal->waiting_bytes == counts.waiting_bytes,
                    "a principal miscounts what is waited for (waiting_bytes)");
    wrong = require(wrong, principal->under_way == (is_user ? counts.under_way : 0),
                    "a user miscounts what is under way (under_way)");
    wrong =
        require(wrong, principal->references == shares_of(broker, principal), "a principal miscounts its references");
    wrong = require(wrong, principal->references || principal->is_named, "a principal that nobody refers to lives");
    return require(wrong,
                   memcmp(&principal->account.limits, &principal->quota.limits, sizeof principal->quota.limits) == 0,
                   "a principal's account has other limits than its quota");
}

const char *check_principals(const struct broker *broker)
{
    const struct principal *principal;
    const struct share *share;
    const char *wrong = NULL;
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        TAILQ_FOREACH(principal, &broker->principals.principals[kind], in_table) {
            wrong = wrong ? wrong : check_principal(broker, principal);
        }
    }
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        const struct counts counts = counts_of(broker, share, NULL);
        wrong = require(wrong, share->references == counts.references, "a share miscounts its references");
        wrong = require(wrong, share->references > 0, "a share that nobody refers to lives");
    }
    return wrong;
}
