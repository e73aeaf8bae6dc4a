/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares by weight: clients of three classes (weights 1, 2 and 3) that always want more than there is, in virtual time.
 * What each class holds on the average over time must be its share, within the bound that each test states. Each
 * competition has that many draws, and at most MEMBROKER_COMPETITIONS of them.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/core/environment.h"
#include "tests/unit/core/sharing.h"

enum { CLASSES = 3, USERS = 3, COMPETITORS = 30, HOURS_MS = 2 * 3600 * 1000 };

struct competition {
    uint64_t capacity;
    uint64_t bytes[CLASSES];   /* that clients of a class ask for: at least, */
    uint64_t spread_mib;       /* and up to so much more */
    uint64_t hold_ms, more_ms; /* for so long, and up to so much longer */
    int clients_of_first;      /* that the first class has; 0: as many as others */
    bool is_for_users;         /* all are in the first class, each another user */
    bool is_ageless;           /* requests do not age */
};

struct competitor {
    uint64_t request, lease; /* 0: none */
    uint64_t bytes;
    uint64_t free_at; /* ms: when it lets go */
};

struct arena {
    struct model *model;
    const struct competition *rules;
    struct competitor clients[COMPETITORS];
    uint64_t state, now_ms;
    double held[CLASSES]; /* byte-milliseconds */
};

static uint64_t below(struct arena *arena, uint64_t bound)
{
    uint64_t *state = &arena->state;
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return bound ? *state % bound : 0;
}

static void open_all(struct arena *arena)
{
    static const char *const names[CLASSES] = {"a", "b", "c"};
    struct policy_rule rules[CLASSES];
    struct policy policy = {.rules = rules, .rule_count = CLASSES};
    memcpy(rules, model_policy.rules, sizeof rules);
    rules[2].quota.reserve_bytes = 0;
    rules[2].quota.has_priority = false;
    rules[2].quota.priority = 0;
    arena->model->check_every = 257;
    arena->model->options.settings.policy = &policy;
    arena->model->options.settings.times.ttl_default_ms = 3600 * 1000;
    if (arena->rules->is_ageless) {
        arena->model->options.settings.queue.ageing_ms = 0;
    }
    model_configure(arena->model);
    for (int i = 0; i < COMPETITORS; i++) {
        cr_assert(model_open_as(arena->model, i, names[arena->rules->is_for_users ? 0 : i % CLASSES], 1 + (uint32_t)i));
    }
}

static void ask(struct arena *arena, int i)
{
    struct competitor *client = &arena->clients[i];
    uint64_t bytes = arena->rules->bytes[i % CLASSES] + below(arena, arena->rules->spread_mib) * MIB;
    client->bytes = bytes;
    (void)model_acquire_waiting(arena->model, i, bytes, 3600 * 1000);
    client->request = arena->model->next_request;
}

static void take_answers(struct arena *arena)
{
    for (int i = 0; i < COMPETITORS; i++) {
        struct competitor *client = &arena->clients[i];
        const struct reply *reply = client->request ? model_answer(arena->model, client->request) : NULL;
        if (reply) {
            client->lease = granted(reply);
            client->request = 0;
            client->free_at = arena->now_ms + arena->rules->hold_ms + below(arena, arena->rules->more_ms);
        }
    }
    model_forget(arena->model);
}

static void let_go(struct arena *arena)
{
    for (int i = 0; i < COMPETITORS; i++) {
        struct competitor *client = &arena->clients[i];
        if (client->lease && client->free_at <= arena->now_ms) {
            model_release(arena->model, i, client->lease);
            take_answers(arena);
            client->lease = 0;
            ask(arena, i);
            take_answers(arena);
        }
    }
}

static void pass(struct arena *arena, uint64_t milliseconds)
{
    for (int i = 0; i < COMPETITORS; i++) {
        const struct competitor *client = &arena->clients[i];
        arena->held[i % CLASSES] += client->lease ? (double)client->bytes * (double)milliseconds : 0;
    }
    arena->now_ms += milliseconds;
    model_pass(arena->model, milliseconds);
    take_answers(arena);
}

/* What each class held of all that was held. */
static void compete(const struct competition *rules, uint64_t seed, double shares[CLASSES])
{
    struct arena *arena = calloc(1, sizeof *arena);
    double sum = 0;
    cr_assert(arena);
    arena->rules = rules;
    arena->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    arena->model = model_new(0, rules->capacity, 0);
    open_all(arena);
    for (int i = 0; i < COMPETITORS; i++) {
        if (i % CLASSES || !rules->clients_of_first || i / CLASSES < rules->clients_of_first) {
            ask(arena, i);
            take_answers(arena);
        }
    }
    while (arena->now_ms < HOURS_MS) {
        pass(arena, 100);
        let_go(arena);
    }
    for (int i = 0; i < CLASSES; i++) {
        sum += arena->held[i];
    }
    for (int i = 0; i < CLASSES; i++) {
        shares[i] = arena->held[i] / sum;
    }
    model_free(arena->model);
    free(arena);
}

static void expect_fair(const struct competition *rules, uint64_t seeds, double bound)
{
    uint64_t most = from_environment("MEMBROKER_COMPETITIONS", seeds);
    cr_assert_gt(most, 0);
    seeds = seeds < most ? seeds : most;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        double shares[CLASSES];
        compete(rules, seed, shares);
        for (int i = 0; i < CLASSES; i++) {
            double fair = rules->is_for_users ? 1.0 / CLASSES : (i + 1) / 6.0;
            cr_expect(shares[i] > fair * (1 - bound) && shares[i] < fair * (1 + bound),
                      "seed %d: class %d has %.3f, and %.3f were fair", (int)seed, i, shares[i], fair);
        }
    }
}

Test(shares, under_saturation_shares_follow_the_weights, .timeout = 900)
{
    const struct competition rules = {
        .capacity = 64 * MIB, .bytes = {4 * MIB, 4 * MIB, 4 * MIB}, .spread_mib = 4, .hold_ms = 500, .more_ms = 2000};
    expect_fair(&rules, 5, 0.1);
}

Test(shares, larger_segments_get_no_larger_share, .timeout = 900)
{
    const struct competition rules = {
        .capacity = 18 * MIB, .bytes = {4 * MIB, 2 * MIB, MIB}, .hold_ms = 500, .more_ms = 2000};
    expect_fair(&rules, 2, 0.05);
}

Test(shares, segments_of_twice_a_share_get_no_larger_share, .timeout = 900)
{
    const struct competition rules = {
        .capacity = 12 * MIB, .bytes = {4 * MIB, MIB, MIB}, .hold_ms = 500, .more_ms = 2000};
    expect_fair(&rules, 2, 0.05);
}

Test(shares, larger_segments_of_the_greatest_weight_get_no_larger_share, .timeout = 900)
{
    const struct competition rules = {
        .capacity = 12 * MIB, .bytes = {MIB, MIB, 8 * MIB}, .hold_ms = 500, .more_ms = 2000};
    expect_fair(&rules, 2, 0.05);
}

Test(shares, large_segments_held_for_long_get_no_larger_share, .timeout = 900)
{
    const struct competition rules = {
        .capacity = 12 * MIB, .bytes = {4 * MIB, MIB, MIB}, .hold_ms = 10000, .more_ms = 20000, .is_ageless = true};
    expect_fair(&rules, 2, 0.1);
}

Test(shares, a_user_who_never_holds_and_waits_at_once_is_charged_as_well, .timeout = 900)
{
    const struct competition rules = {
        .capacity = 12 * MIB, .bytes = {4 * MIB, MIB, MIB}, .hold_ms = 500, .more_ms = 2000, .clients_of_first = 1};
    expect_fair(&rules, 2, 0.15);
}

Test(shares, users_of_a_class_share_equally, .timeout = 900)
{
    const struct competition rules = {
        .capacity = 12 * MIB, .bytes = {4 * MIB, MIB, MIB}, .hold_ms = 500, .more_ms = 2000, .is_for_users = true};
    expect_fair(&rules, 2, 0.15);
}

/* ---- charges ---- */

static uint64_t wait_for(struct model *model, int peer, uint64_t bytes)
{
    cr_expect_null(model_acquire_waiting(model, peer, bytes, 3600000));
    return model->next_request;
}

/* Three users of one class, and a rule. */
static struct model *with_users(struct policy_rule *rule)
{
    struct policy policy = {.rules = rule, .rule_count = 1};
    struct model *model = model_new(0, 8 * MIB, 0);
    model->options.settings.queue.ageing_ms = 0;
    model->options.settings.policy = &policy;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
    for (int i = 0; i < USERS; i++) {
        model_open_as(model, i, "other", 1 + (uint32_t)i);
    }
    return model;
}

static void pass_seconds(struct model *model, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        model_pass(model, 1000);
        for (int user = 0; user < USERS; user++) {
            model_renew(model, user);
        }
    }
}

/* The first user has 6 MiB of 8 for half a minute while the second waits; later both wait for what a third has. */
static void expect_second_to_go_first(int seconds_later, bool expected)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "none");
    struct model *model = with_users(&rule);
    uint64_t much = granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 60000));
    uint64_t little = granted(model_acquire(model, 1, 2 * MIB, LOCATION_RAM, 60000));
    uint64_t more = wait_for(model, 1, 2 * MIB);
    pass_seconds(model, 30);
    model_release(model, 0, much);
    uint64_t third = granted(model_acquire(model, 2, 4 * MIB, LOCATION_RAM, 60000));
    model_release(model, 1, granted(model_answer(model, more)));
    model_release(model, 1, little);
    uint64_t rest = granted(model_acquire(model, 2, 4 * MIB, LOCATION_RAM, 60000));
    pass_seconds(model, seconds_later);
    uint64_t first = wait_for(model, 0, 4 * MIB), second = wait_for(model, 1, 4 * MIB);
    model_release(model, 2, third);
    cr_expect_eq(!model_answer(model, first), expected);
    cr_expect_eq(!model_answer(model, second), !expected);
    model_release(model, 2, rest);
    granted(model_answer(model, first));
    granted(model_answer(model, second));
    model_free(model);
}

Test(shares, an_excess_over_a_share_counts_later)
{
    expect_second_to_go_first(1, true);
}

Test(shares, a_deficit_is_remembered_only_for_a_while)
{
    expect_second_to_go_first(600, false);
}

Test(shares, a_request_held_up_by_its_own_limit_has_no_deficit)
{
    struct policy_rule rule = one_rule(PRINCIPAL_USER, "1");
    rule.id = 1;
    rule.quota.limits.max_bytes = MIB;
    struct model *model = with_users(&rule);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    uint64_t one = granted(model_acquire(model, 1, MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 1, 2 * MIB + 3 * MIB / 4, LOCATION_RAM, 60000));
    granted(model_acquire(model, 2, 2 * MIB + 3 * MIB / 4, LOCATION_RAM, 60000));
    uint64_t limited = wait_for(model, 0, MIB);
    uint64_t first = wait_for(model, 1, MIB);
    pass_seconds(model, 30);
    uint64_t second = wait_for(model, 2, MIB);
    model_release(model, 1, one);
    granted(model_answer(model, first));
    cr_expect_null(model_answer(model, second), "both hold as much, and the other came first");
    cr_expect_null(model_answer(model, limited));
    model_free(model);
}

Test(shares, a_process_of_two_groups_follows_the_order_of_their_rules)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_GROUP, "a"), one_rule(PRINCIPAL_GROUP, "b")};
    const struct policy policy = {.rules = rules, .rule_count = 2};
    const struct input open = {.kind = INPUT_OPEN_SESSION,
                               .peer = (void *)(uintptr_t)1, /* peer 0 */
                               .open = {.identity = {.pid = 1, .uid = 1000, .gid = 8, .group_count = 1, .groups = {9}},
                                        .hello = {.name = "x",
                                                  .heap_bytes = LIMIT_DEFAULT,
                                                  .max_bytes = LIMIT_DEFAULT,
                                                  .max_physical_bytes = LIMIT_DEFAULT}}};
    struct model *model = model_new(0, 64 * MIB, 0);
    for (int i = 0; i < 2; i++) {
        rules[i].id = i == 0 ? 8 : 9;
        rules[i].quota.limits.max_physical_bytes = 10 * MIB;
    }
    model->options.settings.policy = &policy;
    model_configure(model);
    model_feed(model, &open);
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0));
    cr_expect_str_eq(refused(model_acquire(model, 0, 5 * MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal.whose,
                     "group a");
    struct policy_rule first = rules[0];
    rules[0] = rules[1];
    rules[1] = first;
    model_configure(model);
    const struct refusal *refusal =
        &refused(model_acquire(model, 0, 5 * MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal;
    cr_expect_str_eq(refusal->whose, "group b");
    cr_expect_eq(refusal->used_bytes, 6 * MIB);
    model_free(model);
}
