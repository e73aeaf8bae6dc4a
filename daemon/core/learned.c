/* SPDX-License-Identifier: Apache-2.0 */
/* A tree to find by, and a list to forget by. */
#include "daemon/core/learned.h"

#include <stdlib.h>
#include <string.h>

static int compare(const struct learned_size *a, const struct learned_size *b)
{
    int order = (a->key.uid > b->key.uid) - (a->key.uid < b->key.uid);
    order = order ? order : strcmp(a->key.class, b->key.class);
    order = order ? order : strcmp(a->key.client, b->key.client);
    return order ? order : strcmp(a->key.workspace, b->key.workspace);
}

TREE_GENERATE(learned_tree, learned_size, by_key, compare)

void learned_table_init(struct learned_table *table)
{
    *table = (struct learned_table){0};
    RB_INIT(&table->by_key);
    TAILQ_INIT(&table->by_use);
}

static void forget(struct learned_table *table, struct learned_size *size)
{
    RB_REMOVE(learned_tree, &table->by_key, size);
    TAILQ_REMOVE(&table->by_use, size, by_use);
    table->count--;
    free(size);
}

void learned_table_deinit(struct learned_table *table)
{
    struct learned_size *size, *next;
    for (size = TAILQ_FIRST(&table->by_use); size; size = next) {
        next = TAILQ_NEXT(size, by_use);
        forget(table, size);
    }
}

static struct learned_size *find(struct learned_table *table, const struct learned_key *key)
{
    struct learned_size wanted = {.key = *key};
    struct learned_size *size = RB_FIND(learned_tree, &table->by_key, &wanted);
    if (size) {
        TAILQ_REMOVE(&table->by_use, size, by_use);
        TAILQ_INSERT_TAIL(&table->by_use, size, by_use);
    }
    return size;
}

void learned_note(struct learned_table *table, const struct learned_key *key, uint64_t bytes)
{
    struct learned_size *size = find(table, key);
    if (!size) {
        size = calloc(1, sizeof *size);
        if (!size) {
            return;
        }
        size->key = *key;
        RB_INSERT(learned_tree, &table->by_key, size);
        TAILQ_INSERT_TAIL(&table->by_use, size, by_use);
        table->count++;
    }
    table->changes += size->bytes != bytes;
    size->bytes = bytes;
    if (table->count > LEARNED_MAX) {
        forget(table, TAILQ_FIRST(&table->by_use));
    }
}

uint64_t learned_recall(struct learned_table *table, const struct learned_key *key)
{
    const struct learned_size *size = find(table, key);
    return size ? size->bytes : 0;
}
