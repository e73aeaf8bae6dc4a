/* SPDX-License-Identifier: Apache-2.0 */
/* The learned sizes: found by key, and in the order of their use, of all and of each user. */
#include "daemon/core/check.h"

static const char *check_user(const struct learned_user *user)
{
    const struct learned_size *size;
    const char *wrong = NULL;
    uint64_t last = 0, count = 0;
    TAILQ_FOREACH(size, &user->sizes, of_user) {
        wrong = require(wrong, size->user == user && size->key.uid == user->uid, "a user has another's learned size");
        wrong = require(wrong, size->used > last, "a user's learned sizes are out of order");
        last = size->used;
        count++;
    }
    return require(wrong, count && count == user->count, "a user miscounts its learned sizes");
}

static uint64_t count_tree(const struct learned_size *at)
{
    return at ? 1 + count_tree(RB_LEFT(at, by_key)) + count_tree(RB_RIGHT(at, by_key)) : 0;
}

static const char *check_users(const struct learned_user *at, uint64_t *count)
{
    const char *wrong = at ? check_user(at) : NULL;
    if (at && !wrong) {
        *count += at->count;
        wrong = check_users(RB_LEFT(at, by_uid), count);
        wrong = wrong ? wrong : check_users(RB_RIGHT(at, by_uid), count);
    }
    return wrong;
}

const char *check_learned(const struct learned_table *table)
{
    const struct learned_size *size;
    const char *wrong = NULL;
    uint64_t last = 0, listed = 0, of_users = 0;
    TAILQ_FOREACH(size, &table->by_use, by_use) {
        wrong = require(wrong, size->used > last, "the learned sizes are out of order");
        last = size->used;
        listed++;
    }
    wrong = require(wrong, listed == table->count, "the learned sizes in use order are not all (count)");
    wrong = require(wrong, count_tree(RB_ROOT(&table->by_key)) == table->count, "the learned sizes by key are not all");
    wrong = wrong ? wrong : check_users(RB_ROOT(&table->users), &of_users);
    wrong = require(wrong, of_users == table->count, "the learned sizes of the users are not all");
    return require(wrong, last <= table->uses && table->count <= LEARNED_MAX, "more sizes are learned than may be");
}
