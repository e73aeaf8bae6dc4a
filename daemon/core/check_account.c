/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts: each is the sum of the charges below it, and nothing is claimed between passes over the queue. */
#include "daemon/core/check.h"

#include <string.h>

#include "daemon/core/reserve.h"

struct sums {
    uint64_t used[LOCATIONS], freeing[LOCATIONS], revoking[LOCATIONS];
    size_t charges;
};

static void add_boards(const struct broker *broker, const struct account *account, struct sums *sums)
{
    const struct board *board;
    TAILQ_FOREACH(board, &broker->boards.boards, in_table) {
        for (uint32_t i = 0; i < BOARD_PARTS_MAX && account_is_descendant_of(&board->account, account); i++) {
            const struct charge *charge = &board->parts[i].charge;
            sums->used[charge->location] += charge->bytes;
            sums->freeing[charge->location] += charge->freeing ? charge->bytes : 0;
            sums->charges += charge->account != NULL;
        }
    }
}

static struct sums sums_below(const struct broker *broker, const struct account *account)
{
    struct sums sums = {0};
    const struct segment *segment = segment_tree_next(broker, 0);
    const struct lease *lease;
    for (; segment; segment = segment_tree_next(broker, segment->id)) {
        const struct charge *charge = &segment->charge;
        if (account_is_descendant_of(charge->account, account)) {
            sums.used[charge->location] += charge->bytes;
            sums.freeing[charge->location] += charge->freeing ? charge->bytes : 0;
            sums.charges++;
        }
    }
    add_boards(broker, account, &sums);
    TAILQ_FOREACH(lease, &broker->revoking, in_revoking) {
        if (account_is_descendant_of(&lease->session->account, account)) {
            sums.revoking[lease->location] += lease->revoking_bytes;
        }
    }
    return sums;
}

static const char *check_account(const struct broker *broker, const struct account *account)
{
    const struct sums sums = sums_below(broker, account);
    const char *wrong = NULL;
    FOR_EACH_LOCATION(location)
    {
        wrong = require(wrong, account->used[location] == sums.used[location],
                        "what an account uses (used) is not the sum of its charges");
        wrong = require(wrong, account->freeing[location] == sums.freeing[location],
                        "what an account frees (freeing) is not the sum of its charges that are being freed");
        wrong = require(wrong, account->revoking[location] == sums.revoking[location],
                        "what will be taken (revoking) is not the sum of the leases that are marked");
        wrong = require(wrong, account->peak[location] >= account->used[location],
                        "an account uses more than the most that it ever used (peak)");
        wrong = require(wrong, !account->claimed[location], "a claim (claimed) was forgotten");
    }
    wrong = require(wrong, account->charges == sums.charges, "an account miscounts its charges");
    wrong = require(wrong, account->peak_sum >= account_used(account, LEDGER_MAX_BYTES),
                    "an account uses more than the most that it ever used (peak_sum)");
    return require(wrong, !account->claimed_sum, "a claim (claimed_sum) was forgotten");
}

/* What a session stands under is what its share says. */
static const char *check_of_session(const struct broker *broker, const struct session *session)
{
    struct account *above[ACCOUNT_ABOVE_MAX];
    share_accounts(&broker->principals, session->share, above);
    bool is_right = memcmp(above, session->account.above, sizeof above) == 0;
    return is_right ? check_account(broker, &session->account)
                    : "a session's account does not stand under its share, user, group, class and host";
}

static bool is_root(const struct account *account)
{
    static struct account *const nothing[ACCOUNT_ABOVE_MAX] = {NULL};
    return memcmp(nothing, account->above, sizeof nothing) == 0;
}

static const char *check_of_principals(const struct broker *broker)
{
    const struct principal *principal;
    const struct account *reserved;
    const char *wrong = NULL;
    size_t with_reserve = 0, listed = 0;
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        TAILQ_FOREACH(principal, &broker->principals.principals[kind], in_table) {
            with_reserve += principal->account.reserve_bytes > 0;
            wrong = require(wrong, is_root(&principal->account), "a principal's account stands under another");
            wrong = wrong ? wrong : check_account(broker, &principal->account);
        }
    }
    LIST_FOREACH(reserved, &broker->reserves, in_reserves) {
        listed++;
    }
    return require(wrong, with_reserve == listed, "the list of reserves is not that of the principals that have one");
}

const char *check_accounts(const struct broker *broker)
{
    const struct session *session = check_walk_next(broker, NULL);
    const struct share *share;
    const char *wrong = NULL;
    for (; !wrong && session; session = check_walk_next(broker, session)) {
        wrong = check_of_session(broker, session);
    }
    wrong = wrong ? wrong : check_account(broker, &broker->host);
    wrong = wrong ? wrong : check_account(broker, &broker->pool.account);
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        wrong = require(wrong, is_root(&share->account), "a share's account stands under another");
        wrong = wrong ? wrong : check_account(broker, &share->account);
    }
    return wrong ? wrong : check_of_principals(broker);
}
