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

struct reservation *reservation_find(const struct reservation_table *table, const char *name)
{
    struct reservation *reservation;
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        if (strcmp(reservation->terms.name, name) == 0) {
            return reservation;
        }
    }
    return NULL;
}

static bool has_path(const struct reservation *reservation, const char *path, size_t length)
{
    for (size_t i = 0; i < reservation->member_count; i++) {
        const char *own = reservation->members[i].path;
        if (strlen(own) == length && memcmp(own, path, length) == 0) {
            return true;
        }
    }
    return false;
}

struct reservation *reservation_with_path(const struct reservation_table *table, const char *path, size_t length)
{
    struct reservation *reservation;
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        if (has_path(reservation, path, length)) {
            return reservation;
        }
    }
    return NULL;
}

/* ---- one reservation ---- */

static char *copy_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

struct reservation *reservation_new(struct reservation_table *table, const struct reservation_terms *terms,
                                    const char *paths)
{
    struct reservation *reservation = calloc(1, sizeof *reservation);
    if (!reservation || !(reservation->first_paths = copy_text(paths, strlen(paths)))) {
        free(reservation);
        return NULL;
    }
    reservation->terms = *terms;
    TAILQ_INSERT_TAIL(&table->list, reservation, in_table);
    table->count++;
    return reservation;
}

void reservation_free(struct reservation_table *table, struct reservation *reservation)
{
    while (reservation->member_count) {
        reservation_drop_path(reservation);
    }
    TAILQ_REMOVE(&table->list, reservation, in_table);
    table->count--;
    free(reservation->members);
    free(reservation->first_paths);
    free(reservation);
}

int reservation_add_path(struct reservation *reservation, const char *path, size_t length)
{
    size_t count = reservation->member_count;
    struct policy_member *members = reallocarray(reservation->members, count + 1, sizeof *members);
    if (!members) {
        return -ENOMEM;
    }
    reservation->members = members;
    members[count] = (struct policy_member){.kind = MEMBER_PATH, .path = copy_text(path, length)};
    if (!members[count].path) {
        return -ENOMEM;
    }
    text_copy(members[count].name, sizeof members[count].name, members[count].path);
    text_end_whole(members[count].name);
    reservation->member_count++;
    return 0;
}

void reservation_drop_path(struct reservation *reservation)
{
    free(reservation->members[--reservation->member_count].path);
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
    for (size_t i = 0; i < table->configured->rule_count; i++) {
        sum = size_add_saturated(sum, table->configured->rules[i].quota.reserve_bytes);
    }
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        sum = size_add_saturated(sum, reserve_of(reservation));
    }
    return sum;
}

/* One that is over lets its sessions live, and grants them nothing. */
static struct quota quota_of(const struct reservation *reservation)
{
    const struct reservation_terms *terms = &reservation->terms;
    struct quota quota = quota_none();
    quota.limits =
        (struct byte_limits){size_add_saturated(terms->bytes, terms->mapped_bytes), terms->bytes, terms->mapped_bytes};
    quota.reserve_bytes = reserve_of(reservation);
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
                                 .members = reservation->members,
                                 .member_count = reservation->member_count};
    text_copy(rule->name, sizeof rule->name, reservation->terms.name);
}

int reservation_apply(const struct reservation_table *table, struct principal_table *principals)
{
    const struct policy *configured = table->configured;
    const struct reservation *reservation;
    size_t count = 0;
    struct policy both = {.rules = calloc(table->count + configured->rule_count + 1, sizeof *both.rules),
                          .rule_count = table->count + configured->rule_count,
                          .access = configured->access};
    if (!both.rules) {
        return -ENOMEM;
    }
    TAILQ_FOREACH(reservation, &table->list, in_table) {
        fill_rule(reservation, &both.rules[count++]);
    }
    if (configured->rule_count) {
        memcpy(&both.rules[count], configured->rules, configured->rule_count * sizeof *both.rules);
    }
    int result = principal_table_configure(principals, &both);
    free(both.rules);
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
