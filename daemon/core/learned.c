/* SPDX-License-Identifier: Apache-2.0 */
/* A tree to find by, and lists to forget by: of all, which is kept in this order, and of each user. */
#include "daemon/core/learned.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/principal.h"

static int compare(const struct learned_size *a, const struct learned_size *b)
{
    int order = (a->key.uid > b->key.uid) - (a->key.uid < b->key.uid);
    order = order ? order : strcmp(a->key.class, b->key.class);
    order = order ? order : strcmp(a->key.client, b->key.client);
    return order ? order : strcmp(a->key.workspace, b->key.workspace);
}

TREE_GENERATE(learned_tree, learned_size, by_key, compare)

static int compare_users(const struct learned_user *a, const struct learned_user *b)
{
    return (a->uid > b->uid) - (a->uid < b->uid);
}

TREE_GENERATE(learned_users, learned_user, by_uid, compare_users)

void learned_table_init(struct learned_table *table)
{
    *table = (struct learned_table){0};
    RB_INIT(&table->by_key);
    TAILQ_INIT(&table->by_use);
    RB_INIT(&table->users);
}

static void forget(struct learned_table *table, struct learned_size *size)
{
    struct learned_user *user = size->user;
    RB_REMOVE(learned_tree, &table->by_key, size);
    TAILQ_REMOVE(&table->by_use, size, by_use);
    TAILQ_REMOVE(&user->sizes, size, of_user);
    table->count--;
    free(size);
    if (--user->count == 0) {
        RB_REMOVE(learned_users, &table->users, user);
        free(user);
    }
}

void learned_table_deinit(struct learned_table *table)
{
    struct learned_size *size, *next;
    for (size = TAILQ_FIRST(&table->by_use); size; size = next) {
        next = TAILQ_NEXT(size, by_use);
        forget(table, size);
    }
}

static void insert_last(struct learned_table *table, struct learned_size *size)
{
    size->used = ++table->uses;
    TAILQ_INSERT_TAIL(&table->by_use, size, by_use);
    TAILQ_INSERT_TAIL(&size->user->sizes, size, of_user);
}

static struct learned_size *find(struct learned_table *table, const struct learned_key *key)
{
    struct learned_size wanted = {.key = *key};
    struct learned_size *size = RB_FIND(learned_tree, &table->by_key, &wanted);
    if (size) {
        TAILQ_REMOVE(&table->by_use, size, by_use);
        TAILQ_REMOVE(&size->user->sizes, size, of_user);
        insert_last(table, size);
    }
    return size;
}

/* NULL when memory is short. */
static struct learned_user *user_of(struct learned_table *table, uint32_t uid)
{
    struct learned_user wanted = {.uid = uid};
    struct learned_user *user = RB_FIND(learned_users, &table->users, &wanted);
    if (!user && (user = calloc(1, sizeof *user))) {
        user->uid = uid;
        TAILQ_INIT(&user->sizes);
        RB_INSERT(learned_users, &table->users, user);
    }
    return user;
}

/* NULL when memory is short. */
static struct learned_size *add(struct learned_table *table, const struct learned_key *key)
{
    struct learned_size *size = calloc(1, sizeof *size);
    struct learned_user *user = size ? user_of(table, key->uid) : NULL;
    if (!user) {
        free(size);
        return NULL;
    }
    size->key = *key;
    size->user = user;
    RB_INSERT(learned_tree, &table->by_key, size);
    insert_last(table, size);
    user->count++;
    table->count++;
    return size;
}

static bool gives_way_before(const struct learned_user *a, const struct learned_user *b)
{
    if (a->count != b->count) {
        return a->count > b->count;
    }
    return TAILQ_FIRST(&a->sizes)->used < TAILQ_FIRST(&b->sizes)->used;
}

/* The largest user's oldest goes; `largest` is any of them to begin with. */
static void make_room(struct learned_table *table, struct learned_user *largest)
{
    struct learned_user *user;
    RB_FOREACH(user, learned_users, &table->users) {
        largest = gives_way_before(user, largest) ? user : largest;
    }
    forget(table, TAILQ_FIRST(&largest->sizes));
}

void learned_note(struct learned_table *table, const struct learned_key *key, uint64_t bytes)
{
    struct learned_size *size = find(table, key);
    if (!size && !(size = add(table, key))) {
        return;
    }
    table->changes += size->bytes != bytes;
    size->bytes = bytes;
    if (table->count > LEARNED_MAX) {
        make_room(table, size->user);
    }
}

uint64_t learned_recall(struct learned_table *table, const struct learned_key *key)
{
    const struct learned_size *size = find(table, key);
    return size ? size->bytes : 0;
}
