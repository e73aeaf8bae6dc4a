/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/reservation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/principal.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

int reservation_table_init(struct reservation_table *table, const struct policy *configured)
{
    TAILQ_INIT(&table->list);
    table->count = 0;
    table->next_id = 1;
    table->next_expiry = UINT64_MAX;
    table->configured = policy_copy(configured);
    return table->configured ? 0 : -ENOMEM;
}

void reservation_table_deinit(struct reservation_table *table)
{
    struct reservation *reservation, *next;
    for (reservation = TAILQ_FIRST(&table->list); reservation; reservation = next) {
        next = TAILQ_NEXT(reservation, in_table);
        reservation_free(table, reservation);
    }
    table->configured = policy_free(table->configured);
}

struct reservation *reservation_named(const struct reservation_table *table, const char *name)
{
    struct reservation *reservation;
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        if (strcmp(reservation->terms.name, name) == 0) {
            return reservation;
        }
    }
    return NULL;
}

struct reservation *reservation_next(const struct reservation_table *table, uint64_t id)
{
    struct reservation *reservation = TAILQ_FIRST(&table->list);
    while (reservation && reservation->id <= id) {
        reservation = TAILQ_NEXT(reservation, in_table);
    }
    return reservation;
}

struct reservation *reservation_find(const struct reservation_table *table, uint64_t id)
{
    struct reservation *reservation = id ? reservation_next(table, id - 1) : NULL;
    return reservation && reservation->id == id ? reservation : NULL;
}

bool reservation_has_path(const struct reservation *reservation, const char *path)
{
    for (size_t i = 0; i < reservation->groups.count; i++) {
        if (strcmp(reservation->groups.paths[i], path) == 0) {
            return true;
        }
    }
    return false;
}

struct reservation *reservation_with_path(const struct reservation_table *table, const char *path)
{
    struct reservation *reservation;
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        if (reservation_has_path(reservation, path)) {
            return reservation;
        }
    }
    return NULL;
}

/* ---- one reservation ---- */

size_t reservation_path_bytes(const char *path)
{
    return strlen(path) + 4;
}

void reservation_drop_paths(struct reservation *reservation, size_t left)
{
    while (reservation->groups.count > left) {
        char *path = reservation->groups.paths[--reservation->groups.count];
        reservation->path_bytes -= reservation_path_bytes(path);
        free(path);
    }
}

static bool make_room(struct control_paths *groups, size_t more)
{
    size_t count = groups->count + more;
    char **paths = more ? reallocarray(groups->paths, count, sizeof *paths) : NULL;
    if (paths) {
        groups->paths = paths;
    }
    return paths || !more;
}

static bool add_path(struct reservation *reservation, const char *path)
{
    size_t size = strlen(path) + 1;
    char *copy = malloc(size);
    if (!copy) {
        return false;
    }
    memcpy(copy, path, size);
    reservation->groups.paths[reservation->groups.count++] = copy;
    reservation->path_bytes += reservation_path_bytes(path);
    return true;
}

int reservation_add_paths(struct reservation *reservation, const struct control_group_list *groups)
{
    size_t before = reservation->groups.count;
    bool fails = !make_room(&reservation->groups, groups->count);
    for (size_t i = 0; i < groups->count && !fails; i++) {
        const char *path = groups->paths[i];
        fails = !reservation_has_path(reservation, path) && !add_path(reservation, path);
    }
    if (fails) {
        reservation_drop_paths(reservation, before);
    }
    return fails ? -ENOMEM : 0;
}

static struct reservation *dispose(struct reservation *reservation)
{
    reservation_drop_paths(reservation, 0);
    free(reservation->groups.paths);
    free(reservation);
    return NULL;
}

struct reservation *reservation_new(struct reservation_table *table, const struct reservation_terms *terms,
                                    const struct control_group_list *groups)
{
    struct reservation *reservation = calloc(1, sizeof *reservation);
    if (!reservation) {
        return NULL;
    }
    if (reservation_add_paths(reservation, groups) < 0) {
        return dispose(reservation);
    }
    reservation->id = table->next_id++;
    reservation->terms = *terms;
    reservation->first_count = reservation->groups.count;
    reservation->expires_at = UINT64_MAX;
    TAILQ_INSERT_TAIL(&table->list, reservation, in_table);
    table->count++;
    return reservation;
}

void reservation_free(struct reservation_table *table, struct reservation *reservation)
{
    TAILQ_REMOVE(&table->list, reservation, in_table);
    table->count--;
    (void)dispose(reservation);
}

/* ---- the policy with them ---- */

static uint64_t reserve_of(const struct reservation *reservation)
{
    return reservation->is_over ? 0 : reservation->terms.bytes;
}

uint64_t reservation_sum(const struct reservation_table *table)
{
    const struct reservation *reservation;
    uint64_t sum = 0;
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        sum = size_add_saturated(sum, reserve_of(reservation));
    }
    return sum;
}

uint64_t reservation_next_expiry(const struct reservation_table *table)
{
    const struct reservation *reservation;
    uint64_t next = UINT64_MAX;
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        next = size_min(next, reservation->is_over ? UINT64_MAX : reservation->expires_at);
    }
    return next;
}

uint64_t reservation_policy_sum(const struct policy *policy)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        sum = size_add_saturated(sum, policy->rules[i].quota.reserve_bytes);
    }
    return sum;
}

/* One that is over lets its sessions live, and grants them nothing. */
static struct quota quota_of(const struct reservation *reservation)
{
    const struct reservation_terms *terms = &reservation->terms;
    struct quota quota = quota_none();
    quota.limits.max_physical_bytes = terms->bytes;
    quota.limits.max_mapped_bytes = terms->mapped_bytes;
    quota.reserve_bytes = reserve_of(reservation);
    quota.held_until = reservation->is_suspended ? reservation->held_until : 0;
    quota.is_reservation = true;
    quota.has_priority = terms->has_priority;
    quota.priority = terms->priority;
    quota.has_weight = terms->has_weight;
    quota.weight = terms->has_weight ? terms->weight : 1;
    if (reservation->is_over) {
        quota.limits = (struct byte_limits){0, 0, 0};
        quota.max_leases = 0;
    }
    return quota;
}

static void fill_rule(const struct reservation *reservation, struct policy_rule *rule)
{
    *rule = (struct policy_rule){.kind = PRINCIPAL_CLASS,
                                 .has_owner = reservation->terms.has_uid,
                                 .owner = reservation->terms.uid,
                                 .quota = quota_of(reservation),
                                 .groups = &reservation->groups};
    text_copy(rule->name, sizeof rule->name, reservation->terms.name);
}

int reservation_apply(struct reservation_table *table, struct principal_table *principals)
{
    const struct policy *configured = table->configured;
    const struct reservation *reservation;
    struct policy both = {.rules = calloc(table->count + configured->rule_count + 1, sizeof *both.rules),
                          .access = configured->access};
    if (!both.rules) {
        return -ENOMEM;
    }
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        if (!reservation->is_empty) {
            fill_rule(reservation, &both.rules[both.rule_count++]);
        }
    }
    for (size_t i = 0; i < configured->rule_count; i++) {
        both.rules[both.rule_count++] = configured->rules[i];
    }
    int result = principal_table_configure(principals, &both);
    free(both.rules);
    if (result == 0) {
        table->next_expiry = reservation_next_expiry(table);
    }
    return result;
}

int reservation_configure(struct reservation_table *table, const struct policy *configured,
                          struct principal_table *principals)
{
    struct policy *before = table->configured, *copy = policy_copy(configured);
    if (!copy) {
        return -ENOMEM;
    }
    table->configured = copy;
    int result = reservation_apply(table, principals);
    table->configured = result < 0 ? before : copy;
    policy_free(result < 0 ? copy : before);
    return result;
}
