/* SPDX-License-Identifier: Apache-2.0 */
/* The lease table: red-black trees through the leases themselves, so that filing one can't fail. */
#include "daemon/core/lease.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/deadline.h"
#include "daemon/core/session.h"
#include "proto/base/text.h"

static int compare_ids(const struct lease *a, const struct lease *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_dues(const struct lease *a, const struct lease *b)
{
    int order = (a->due > b->due) - (a->due < b->due);
    return order ? order : compare_ids(a, b);
}

static int compare_users(const struct lease *a, const struct lease *b)
{
    uint32_t one = a->session->identity.uid, other = b->session->identity.uid;
    int order = (one > other) - (one < other);
    return order ? order : compare_ids(a, b);
}

static int compare_files(const struct lease_file *a, const struct lease_file *b)
{
    return strcmp(a->name, b->name);
}

TREE_GENERATE(lease_id_tree, lease, by_id, compare_ids)
TREE_GENERATE(lease_user_tree, lease, by_user, compare_users)
TREE_GENERATE(lease_file_tree, lease_file, by_name, compare_files)
TREE_GENERATE(lease_due_tree, lease, by_due, compare_dues)

void lease_table_init(struct lease_table *table)
{
    RB_INIT(&table->by_id);
    RB_INIT(&table->by_user);
    RB_INIT(&table->by_due);
    RB_INIT(&table->by_file);
    table->alive = 0;
}

void lease_table_add(struct lease_table *table, struct lease *lease)
{
    const struct lease *twin = RB_INSERT(lease_id_tree, &table->by_id, lease);
    assert(!twin);
    (void)twin;
    RB_INSERT(lease_user_tree, &table->by_user, lease);
}

void lease_table_remove(struct lease_table *table, struct lease *lease)
{
    RB_REMOVE(lease_id_tree, &table->by_id, lease);
    RB_REMOVE(lease_user_tree, &table->by_user, lease);
}

struct lease *lease_table_find(const struct lease_table *table, uint64_t id)
{
    struct lease key = {.id = id};
    return RB_FIND(lease_id_tree, TREE_FOR_LOOKUP(lease_id_tree, &table->by_id), &key);
}

struct lease *lease_table_next(const struct lease_table *table, uint64_t id)
{
    if (id == UINT64_MAX) {
        return NULL;
    }
    struct lease key = {.id = id + 1};
    return RB_NFIND(lease_id_tree, TREE_FOR_LOOKUP(lease_id_tree, &table->by_id), &key);
}

struct lease *lease_table_next_of_user(const struct lease_table *table, uint32_t uid, uint64_t id)
{
    struct lease *at = RB_ROOT(&table->by_user), *best = NULL;
    while (at) {
        uint32_t owner = at->session->identity.uid;
        if (owner > uid || (owner == uid && at->id > id)) {
            best = at;
            at = RB_LEFT(at, by_user);
        } else {
            at = RB_RIGHT(at, by_user);
        }
    }
    return best && best->session->identity.uid == uid ? best : NULL;
}

/* ---- named files ---- */

bool lease_table_name_file(struct lease_table *table, struct lease *lease, const char *name, uint64_t bytes)
{
    struct lease_file *file = calloc(1, sizeof *file);
    if (!file) {
        return false;
    }
    file->lease = lease;
    file->bytes = bytes;
    text_copy(file->name, sizeof file->name, name);
    lease->file = file;
    const struct lease_file *twin = RB_INSERT(lease_file_tree, &table->by_file, file);
    assert(!twin);
    (void)twin;
    return true;
}

void lease_table_forget_file(struct lease_table *table, struct lease *lease)
{
    if (lease->file) {
        RB_REMOVE(lease_file_tree, &table->by_file, lease->file);
        free(lease->file);
        lease->file = NULL;
    }
}

struct lease *lease_table_find_file(const struct lease_table *table, const char *name)
{
    struct lease_file key = {0};
    text_copy(key.name, sizeof key.name, name);
    const struct lease_file *found = RB_FIND(lease_file_tree, TREE_FOR_LOOKUP(lease_file_tree, &table->by_file), &key);
    return found ? found->lease : NULL;
}

/* ---- times ---- */

/* The warning comes when a quarter of the TTL is left: renewals come at thirds, so at least two were missed. */
static uint64_t warning_time(const struct lease *lease)
{
    return deadline_renewed(lease) - lease->ttl_ns / 4;
}

static void insert_due(struct lease_table *table, struct lease *lease, uint64_t due)
{
    lease->due = due;
    const struct lease *twin = RB_INSERT(lease_due_tree, &table->by_due, lease);
    assert(!twin);
    (void)twin;
}

void lease_table_grant(struct lease_table *table, struct lease *lease, uint64_t now)
{
    assert(lease->state == LEASE_MAKING);
    lease->state = LEASE_ALIVE;
    lease->granted_at = now;
    table->alive++;
    insert_due(table, lease, warning_time(lease));
}

struct lease *lease_table_first_due(const struct lease_table *table)
{
    return RB_MIN(lease_due_tree, TREE_FOR_LOOKUP(lease_due_tree, &table->by_due));
}

struct lease *lease_table_next_due(struct lease *lease)
{
    return RB_NEXT(lease_due_tree, NULL, lease);
}

enum lease_verdict lease_table_check_due(struct lease_table *table, struct lease *lease, uint64_t now)
{
    uint64_t deadline = deadline_renewed(lease);
    assert(lease->state == LEASE_ALIVE && lease->due <= now);
    if (deadline <= now) {
        return LEASE_EXPIRED;
    }
    RB_REMOVE(lease_due_tree, &table->by_due, lease);
    if (warning_time(lease) > now) {
        lease->warned = false;
        insert_due(table, lease, warning_time(lease));
        return LEASE_FINE;
    }
    bool first_time = !lease->warned;
    lease->warned = true;
    insert_due(table, lease, deadline);
    return first_time ? LEASE_EXPIRING : LEASE_FINE;
}

void lease_table_postpone(struct lease_table *table, struct lease *lease, uint64_t due)
{
    RB_REMOVE(lease_due_tree, &table->by_due, lease);
    insert_due(table, lease, due);
}

void lease_table_retire(struct lease_table *table, struct lease *lease)
{
    assert(lease->state == LEASE_ALIVE && table->alive > 0);
    RB_REMOVE(lease_due_tree, &table->by_due, lease);
    lease->state = LEASE_ENDED;
    table->alive--;
}
