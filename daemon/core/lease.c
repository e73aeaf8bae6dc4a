/* SPDX-License-Identifier: Apache-2.0 */
/* The lease table: two red-black trees through the leases themselves, so that filing one can't fail. */
#include "daemon/core/lease.h"

#include <assert.h>

#include "daemon/core/session.h"
#include "proto/base/size.h"

static int compare_ids(const struct lease *a, const struct lease *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_dues(const struct lease *a, const struct lease *b)
{
    int order = (a->due > b->due) - (a->due < b->due);
    return order ? order : compare_ids(a, b);
}

TREE_GENERATE(lease_id_tree, lease, by_id, compare_ids)
TREE_GENERATE(lease_due_tree, lease, by_due, compare_dues)
TREE_GENERATE(lease_pile_tree, lease, by_pile, compare_ids)

void lease_table_init(struct lease_table *table)
{
    RB_INIT(&table->by_id);
    RB_INIT(&table->by_due);
    table->alive = 0;
}

void lease_table_add(struct lease_table *table, struct lease *lease)
{
    const struct lease *twin = RB_INSERT(lease_id_tree, &table->by_id, lease);
    assert(!twin);
    (void)twin;
}

void lease_table_remove(struct lease_table *table, struct lease *lease)
{
    RB_REMOVE(lease_id_tree, &table->by_id, lease);
}

/* Lookups don't change the tree, but the macros take it unqualified. */
static struct lease_id_tree *ids(const struct lease_table *table)
{
    union {
        const struct lease_id_tree *in;
        struct lease_id_tree *out;
    } borrowed = {.in = &table->by_id};
    return borrowed.out;
}

struct lease *lease_table_find(const struct lease_table *table, uint64_t id)
{
    struct lease key = {.id = id};
    return RB_FIND(lease_id_tree, ids(table), &key);
}

struct lease *lease_table_next(const struct lease_table *table, uint64_t id)
{
    if (id == UINT64_MAX) {
        return NULL;
    }
    struct lease key = {.id = id + 1};
    return RB_NFIND(lease_id_tree, ids(table), &key);
}

uint64_t lease_deadline(const struct lease *lease)
{
    uint64_t renewed_at = lease->session->renewed_at;
    uint64_t from = renewed_at > lease->granted_at ? renewed_at : lease->granted_at;
    return size_add_saturated(from, lease->ttl_ns);
}

/* The warning comes when a quarter of the TTL is left: renewals come at thirds, so at least two were missed. */
static uint64_t warning_time(const struct lease *lease)
{
    return lease_deadline(lease) - lease->ttl_ns / 4;
}

static void file(struct lease_table *table, struct lease *lease, uint64_t due)
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
    file(table, lease, warning_time(lease));
}

struct lease *lease_table_first_due(const struct lease_table *table)
{
    union {
        const struct lease_due_tree *in;
        struct lease_due_tree *out;
    } borrowed = {.in = &table->by_due};
    return RB_MIN(lease_due_tree, borrowed.out);
}

struct lease *lease_table_next_due(struct lease *lease)
{
    return RB_NEXT(lease_due_tree, NULL, lease);
}

enum lease_verdict lease_table_judge(struct lease_table *table, struct lease *lease, uint64_t now)
{
    uint64_t deadline = lease_deadline(lease);
    assert(lease->state == LEASE_ALIVE && lease->due <= now);
    if (deadline <= now) {
        return LEASE_EXPIRED;
    }
    RB_REMOVE(lease_due_tree, &table->by_due, lease);
    if (warning_time(lease) > now) {
        lease->warned = false;
        file(table, lease, warning_time(lease));
        return LEASE_FINE;
    }
    bool first_time = !lease->warned;
    lease->warned = true;
    file(table, lease, deadline);
    return first_time ? LEASE_EXPIRING : LEASE_FINE;
}

void lease_table_postpone(struct lease_table *table, struct lease *lease, uint64_t due)
{
    RB_REMOVE(lease_due_tree, &table->by_due, lease);
    file(table, lease, due);
}

void lease_table_retire(struct lease_table *table, struct lease *lease)
{
    assert(lease->state == LEASE_ALIVE && table->alive > 0);
    RB_REMOVE(lease_due_tree, &table->by_due, lease);
    lease->state = LEASE_ENDED;
    table->alive--;
}

/* ---- piles ---- */

void lease_pile_add(struct lease_pile *pile, struct lease *lease)
{
    assert(!lease->pile);
    RB_INSERT(lease_pile_tree, &pile->leases, lease);
    pile->bytes += lease->bytes;
    lease->pile = pile;
}

void lease_pile_remove(struct lease *lease)
{
    if (lease->pile) {
        RB_REMOVE(lease_pile_tree, &lease->pile->leases, lease);
        lease->pile->bytes -= lease->bytes;
        lease->pile = NULL;
    }
}

void lease_grow(struct lease *lease, uint64_t bytes)
{
    lease->bytes += bytes;
    if (lease->pile) {
        lease->pile->bytes += bytes;
    }
}

struct lease *lease_pile_newest(struct lease_pile *pile)
{
    return RB_MAX(lease_pile_tree, &pile->leases);
}

struct lease *lease_pile_older(struct lease *lease)
{
    return RB_PREV(lease_pile_tree, NULL, lease);
}
