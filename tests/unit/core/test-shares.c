/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares by weight: clients of three classes (weights 1, 2 and 3) that always want more than there is, in virtual time.
 * What each class holds on the average over time must be its share, within the bound that each test states.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/core/sharing.h"

enum { CLASSES = 3, COMPETITORS = 30, HOURS_MS = 2 * 3600 * 1000 };

struct competition {
    uint64_t capacity;
    uint64_t bytes[CLASSES];   /* that clients of a class ask for: at least, */
    uint64_t spread_mib;       /* and up to so much more */
    uint64_t hold_ms, more_ms; /* for so long, and up to so much longer */
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
    model_configure(arena->model);
    for (int i = 0; i < COMPETITORS; i++) {
        cr_assert(model_open_as(arena->model, i, names[i % CLASSES], 1 + (uint32_t)i));
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
        ask(arena, i);
        take_answers(arena);
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

static void expect_fair(const struct competition *rules, double bound)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        double shares[CLASSES];
        compete(rules, seed, shares);
        for (int i = 0; i < CLASSES; i++) {
            double fair = (i + 1) / 6.0;
            cr_expect(shares[i] > fair * (1 - bound) && shares[i] < fair * (1 + bound),
                      "seed %d: class %d has %.3f, and %.3f were fair", (int)seed, i, shares[i], fair);
        }
    }
}

Test(shares, under_saturation_they_follow_the_weights, .timeout = 300)
{
    const struct competition rules = {
        .capacity = 64 * MIB, .bytes = {4 * MIB, 4 * MIB, 4 * MIB}, .spread_mib = 4, .hold_ms = 500, .more_ms = 2000};
    expect_fair(&rules, 0.1);
}
