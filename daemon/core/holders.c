/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/holders.h"

#include <string.h>

/* One request's refusal looks at no more blocks: the oldest. */
enum { BLOCKS_LOOKED_AT = 512 };

/* Where something with so many bytes belongs among the largest, most first; NULL: not among them. */
static struct holder *place_for(struct holders *holders, uint64_t bytes)
{
    for (size_t i = 0; i < MESSAGE_HOLDERS_MAX; i++) {
        struct holder *place = &holders->largest[i];
        if (bytes > place->bytes) {
            memmove(place + 1, place, (MESSAGE_HOLDERS_MAX - 1 - i) * sizeof *place);
            return place;
        }
    }
    return NULL;
}

/* What the account has of the limit; 0 also if it is elsewhere. */
static uint64_t held(const struct account *account, const struct holders *holders)
{
    uint64_t bytes = account_used(account, holders->limit);
    return bytes && account_is_descendant_of(account, holders->under) ? bytes : 0;
}

static void rank_session(struct holders *holders, const struct session *session)
{
    uint64_t bytes = held(&session->account, holders);
    struct holder *holder = place_for(holders, bytes);
    if (holder) {
        *holder = (struct holder){
            .session = session->id, .pid = session->identity.pid, .uid = session->identity.uid, .bytes = bytes};
        memcpy(holder->name, session->name, sizeof holder->name);
    }
}

/* Those that are being freed need nobody's doing. */
static void rank_block(struct holders *holders, const struct block *block)
{
    uint64_t bytes = block->state == BLOCK_FREEING ? 0 : held(&block->account, holders);
    struct holder *holder = place_for(holders, bytes);
    if (holder) {
        *holder = (struct holder){.uid = block->owner,
                                  .bytes = bytes,
                                  .block = block->id,
                                  .views = block->view_count + (block->publisher ? 1 : 0),
                                  .has_ended = block->state == BLOCK_CONDEMNED};
        memcpy(holder->name, block->name, sizeof holder->name);
    }
}

static void find_holders(const struct broker *broker, const struct account *under, enum ledger_limit limit,
                         struct holders *ret)
{
    const struct session *session;
    const struct block *block = block_table_next(&broker->blocks, 0);
    *ret = (struct holders){.under = under, .limit = limit};
    TAILQ_FOREACH(session, &broker->sessions.holding, in_holding) {
        rank_session(ret, session);
    }
    for (int looks = 0; block && looks < BLOCKS_LOOKED_AT; looks++) {
        rank_block(ret, block);
        block = block_table_next(&broker->blocks, block->id);
    }
    while (ret->count < MESSAGE_HOLDERS_MAX && ret->largest[ret->count].bytes) {
        ret->count++;
    }
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
    memcpy(refusal->holders, holders->largest, holders->count * sizeof *holders->largest);
}
