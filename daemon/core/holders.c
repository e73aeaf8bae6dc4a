/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/holders.h"

#include <string.h>

static bool outranks(const struct session *a, const struct session *b, enum ledger_limit limit)
{
    return !b || account_used(&a->account, limit) > account_used(&b->account, limit);
}

/* Files the session among the largest, most first. */
static void rank(const struct session *session, enum ledger_limit limit, const struct session *largest[])
{
    for (size_t i = 0; i < MESSAGE_HOLDERS_MAX; i++) {
        if (outranks(session, largest[i], limit)) {
            memmove(&largest[i + 1], &largest[i], (MESSAGE_HOLDERS_MAX - 1 - i) * sizeof(const struct session *));
            largest[i] = session;
            return;
        }
    }
}

static bool holds(const struct session *session, const struct account *under, enum ledger_limit limit)
{
    return account_used(&session->account, limit) && account_is_descendant_of(&session->account, under);
}

static void find_holders(const struct broker *broker, const struct account *under, enum ledger_limit limit,
                         struct holders *ret)
{
    const struct session *session;
    *ret = (struct holders){.under = under, .limit = limit};
    TAILQ_FOREACH(session, &broker->sessions.holding, in_holding) {
        if (holds(session, under, limit)) {
            rank(session, limit, ret->largest);
        }
    }
    while (ret->count < MESSAGE_HOLDERS_MAX && ret->largest[ret->count]) {
        ret->count++;
    }
}

static void fill_holder(const struct session *session, enum ledger_limit limit, struct holder *holder)
{
    *holder = (struct holder){
        .session = session->id,
        .pid = session->identity.pid,
        .uid = session->identity.uid,
        .bytes = account_used(&session->account, limit),
    };
    memcpy(holder->name, session->name, sizeof holder->name);
}

void holders_fill(const struct broker *broker, struct holders *holders, const struct denial *denial,
                  struct refusal *refusal)
{
    const struct account *under = denial->excess.account;
    enum ledger_limit limit = denial_limit(denial);
    if (denial->full) {
        return;
    }
    if (holders->under != under || holders->limit != limit) {
        find_holders(broker, under, limit, holders);
    }
    refusal->holder_count = holders->count;
    for (size_t i = 0; i < holders->count; i++) {
        fill_holder(holders->largest[i], limit, &refusal->holders[i]);
    }
}
