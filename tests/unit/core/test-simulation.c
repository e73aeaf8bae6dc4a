/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core under hours of virtual time: clients of three classes and a few users that think, ask, hold, let go and
 * die. After each step: the limits and the reserve hold, and nobody waits while what it asks for is free to give; and
 * nobody waits longer than the stated bound. A failure prints the seed and what happened last; MEMBROKER_SEED=N
 * replays one seed, and with MEMBROKER_TRACE=1 all of it is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/size.h"
#include "tests/unit/core/shell_model.h"

#define MIB      UINT64_C(1048576)
#define CAPACITY (64 * MIB)
#define RESERVE  (4 * MIB) /* of class c: see model_policy */

enum {
    CLIENTS = 14,
    COMPETITORS = 30, /* of the saturated host */
    CLIENTS_MAX = COMPETITORS,
    HOLD_MAX_MS = 20000,
    AGEING_MS = 30000,
    VIRTUAL_MS = 7200 * 1000,
    /* queue.c: (top priority - own + OVERDUE_TIMES) ageing times until nobody later goes before; then each of
     * those before it may hold what it needs once, for as long as a lease is held here */
    WAIT_BOUND_MS = (2 + 4) * AGEING_MS + CLIENTS * HOLD_MAX_MS,
    TRACE_LINES = 60,
};

struct client {
    uint64_t lease;      /* 0: none */
    uint64_t request;    /* 0: none waits */
    uint64_t bytes;      /* asked for */
    uint64_t asked_at;   /* ms */
    uint64_t next_at;    /* ms: when it does something again */
    int class;           /* 0 to 2: a, b, c; 3: none of them */
    uint64_t held_bytes; /* of its lease */
};

struct simulation {
    struct model *model;
    struct client clients[CLIENTS_MAX];
    int count;
    uint64_t state, now_ms;
    uint64_t longest_wait_ms, grants;
    double held[4]; /* byte-milliseconds by class */
};

static char trace[TRACE_LINES][128];
static size_t trace_next;
static uint64_t running;

#define TRACE(...)                                                                                                     \
    do {                                                                                                               \
        (void)snprintf(trace[trace_next % TRACE_LINES], sizeof trace[0], __VA_ARGS__);                                 \
        if (getenv("MEMBROKER_TRACE")) {                                                                               \
            (void)fprintf(stderr, "%s\n", trace[trace_next % TRACE_LINES]);                                            \
        }                                                                                                              \
        trace_next++;                                                                                                  \
    } while (0)

static void print_trace(void)
{
    size_t from = trace_next > TRACE_LINES ? trace_next - TRACE_LINES : 0;
    if (!running) {
        return;
    }
    for (size_t i = from; i < trace_next; i++) {
        (void)fprintf(stderr, "  %s\n", trace[i % TRACE_LINES]);
    }
    (void)fprintf(stderr, "the seed was %llu; MEMBROKER_SEED=%llu replays it\n", (unsigned long long)running,
                  (unsigned long long)running);
}

static uint64_t below(struct simulation *simulation, uint64_t bound)
{
    uint64_t *state = &simulation->state;
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % bound;
}

/* ---- invariants ---- */

/* What the host could give to a client of this class now. */
static uint64_t free_for(const struct status_reply *status, int class)
{
    uint64_t held_back = class == 2 ? 0 : status->reserved_bytes;
    return size_subtract_floored(CAPACITY, status->used_physical_bytes + held_back);
}

static const struct client *client_of(const struct simulation *simulation, uint64_t session)
{
    for (int i = 0; i < simulation->count; i++) {
        if (simulation->model->peers[i].session == session) {
            return &simulation->clients[i];
        }
    }
    return NULL;
}

/* Each one in the queue does not fit beside those before it. */
static void check_work_conserving(const struct simulation *simulation, const struct status_reply *status)
{
    static struct queue_entry queue[CLIENTS_MAX];
    bool more;
    uint64_t before = 0;
    size_t count =
        broker_list_queue(simulation->model->broker, &model_root, 0, simulation->model->now, queue, CLIENTS_MAX, &more);
    for (size_t i = 0; i < count; i++) {
        const struct client *client = client_of(simulation, queue[i].session);
        cr_assert(client);
        uint64_t free_bytes = free_for(status, client->class);
        cr_assert(before + queue[i].bytes > free_bytes,
                  "place %zu waits for %llu bytes beside %llu claimed, and %llu are free", i + 1,
                  (unsigned long long)queue[i].bytes, (unsigned long long)before, (unsigned long long)free_bytes);
        before += queue[i].bytes;
    }
}

static void check(struct simulation *simulation)
{
    struct status_reply status = model_status(simulation->model);
    cr_assert(status.used_physical_bytes + status.reserved_bytes <= CAPACITY, "limit or reserve broken");
    check_work_conserving(simulation, &status);
}

/* ---- clients ---- */

/* Whoever waited was served or refused meanwhile. */
static void take_answers(struct simulation *simulation, uint64_t hold_ms)
{
    for (int i = 0; i < simulation->count; i++) {
        struct client *client = &simulation->clients[i];
        const struct reply *reply = client->request ? model_answer(simulation->model, client->request) : NULL;
        if (!reply) {
            continue;
        }
        uint64_t waited = simulation->now_ms - client->asked_at;
        cr_assert(reply->kind == REPLY_GRANT, "%s", reply->error.sentence);
        cr_assert(waited <= WAIT_BOUND_MS, "client %d waited %llu ms", i, (unsigned long long)waited);
        TRACE("%llu: client %d of class %d has %llu MiB after %llu ms", (unsigned long long)simulation->now_ms, i,
              client->class, (unsigned long long)(client->bytes / MIB), (unsigned long long)waited);
        simulation->longest_wait_ms = waited > simulation->longest_wait_ms ? waited : simulation->longest_wait_ms;
        simulation->grants++;
        client->request = 0;
        client->lease = reply->grant.lease;
        client->held_bytes = reply->grant.bytes;
        client->next_at = simulation->now_ms + 1 + (hold_ms ? hold_ms : below(simulation, HOLD_MAX_MS));
    }
    model_forget(simulation->model);
}

static void ask(struct simulation *simulation, int i, uint64_t bytes)
{
    struct client *client = &simulation->clients[i];
    client->bytes = bytes;
    client->asked_at = simulation->now_ms;
    client->next_at = UINT64_MAX;
    (void)model_acquire_waiting(simulation->model, i, bytes, WAIT_BOUND_MS * 2);
    client->request = simulation->model->next_request;
    TRACE("%llu: client %d of class %d asks for %llu MiB", (unsigned long long)simulation->now_ms, i, client->class,
          (unsigned long long)(bytes / MIB));
}

static void let_go(struct simulation *simulation, int i)
{
    struct client *client = &simulation->clients[i];
    TRACE("%llu: client %d lets go", (unsigned long long)simulation->now_ms, i);
    (void)model_release(simulation->model, i, client->lease);
    client->lease = client->held_bytes = 0;
}

static void open_client(struct simulation *simulation, int i)
{
    static const char *const names[] = {"a", "b", "c", "none"};
    struct client *client = &simulation->clients[i];
    *client = (struct client){.class = i % 4, .next_at = simulation->now_ms + below(simulation, 1000)};
    cr_assert(model_open_as(simulation->model, i, names[client->class], 1 + (uint32_t)below(simulation, 3)));
}

static void die(struct simulation *simulation, int i)
{
    struct input died = {.kind = INPUT_DIED, .session = simulation->model->peers[i].session};
    TRACE("%llu: client %d dies", (unsigned long long)simulation->now_ms, i);
    model_feed(simulation->model, &died);
    open_client(simulation, i);
}

static void act(struct simulation *simulation, int i)
{
    struct client *client = &simulation->clients[i];
    if (below(simulation, 60) == 0) {
        die(simulation, i);
    } else if (client->lease) {
        let_go(simulation, i);
        client->next_at = simulation->now_ms + 1 + below(simulation, 3000);
    } else {
        uint64_t large = below(simulation, 8) == 0 ? 50 : 12;
        ask(simulation, i, (1 + below(simulation, large)) * MIB);
    }
}

/* ---- time ---- */

static struct simulation *simulation_new(uint64_t seed, int count)
{
    struct simulation *simulation = calloc(1, sizeof *simulation);
    cr_assert(simulation);
    simulation->count = count;
    simulation->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    simulation->model = model_new(0, CAPACITY, 0);
    simulation->model->check_every = 257; /* all tables take long to check; what matters here is checked below */
    simulation->model->options.settings.policy = &model_policy;
    simulation->model->options.settings.queue.ageing_ms = AGEING_MS;
    simulation->model->options.settings.times.ttl_default_ms = 3600 * 1000;
    model_configure(simulation->model);
    trace_next = 0;
    return simulation;
}

static uint64_t simulation_free(struct simulation *simulation)
{
    uint64_t decisions = simulation->model->trace;
    model_free(simulation->model);
    free(simulation);
    return decisions;
}

static uint64_t next_time(const struct simulation *simulation)
{
    uint64_t next = UINT64_MAX;
    for (int i = 0; i < simulation->count; i++) {
        next = size_min(next, simulation->clients[i].next_at);
    }
    return next;
}

static void pass_to(struct simulation *simulation, uint64_t now_ms)
{
    for (int i = 0; i < simulation->count; i++) {
        const struct client *client = &simulation->clients[i];
        simulation->held[client->class] += (double)client->held_bytes * (double)(now_ms - simulation->now_ms);
    }
    model_pass(simulation->model, now_ms - simulation->now_ms);
    simulation->now_ms = now_ms;
}

static uint64_t run(uint64_t seed)
{
    struct simulation *simulation = simulation_new(seed, CLIENTS);
    for (int i = 0; i < simulation->count; i++) {
        open_client(simulation, i);
    }
    while (simulation->now_ms < VIRTUAL_MS) {
        uint64_t next = next_time(simulation);
        pass_to(simulation, next == UINT64_MAX ? simulation->now_ms + 1000 : next);
        for (int i = 0; i < simulation->count; i++) {
            if (simulation->clients[i].next_at <= simulation->now_ms) {
                act(simulation, i);
                take_answers(simulation, 0);
                check(simulation);
            }
        }
        take_answers(simulation, 0);
        check(simulation);
        for (int i = 0; i < simulation->count; i++) {
            const struct client *client = &simulation->clients[i];
            cr_assert(!client->request || simulation->now_ms - client->asked_at <= WAIT_BOUND_MS, "client %d starves",
                      i);
        }
    }
    cr_assert(simulation->grants > 100);
    return simulation_free(simulation);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

Test(simulation, hours_of_competition_keep_every_promise, .timeout = 600, .fini = print_trace)
{
    uint64_t only = from_environment("MEMBROKER_SEED", 0);
    uint64_t count = from_environment("MEMBROKER_SIMULATIONS", 100);
    for (running = only ? only : 1; running <= (only ? only : count); running++) {
        (void)run(running);
    }
    running = 0;
}

Test(simulation, the_same_seed_gives_the_same_decisions, .timeout = 60)
{
    uint64_t decisions = run(4711);
    cr_expect_eq(run(4711), decisions);
    cr_expect_neq(run(4712), decisions);
}

/* ---- shares ---- */

/* Clients of classes a, b and c (weights 1, 2, 3; one priority) that always want more than there is. */
static void saturate(uint64_t seed, double shares[3])
{
    struct policy_rule rules[3];
    struct policy policy = {.rules = rules, .rule_count = 3};
    static const char *const names[] = {"a", "b", "c"};
    struct simulation *simulation = simulation_new(seed, COMPETITORS);
    memcpy(rules, model_policy.rules, sizeof rules);
    rules[2].quota.reserve_bytes = 0;
    rules[2].quota.has_priority = false;
    rules[2].quota.priority = 0;
    simulation->model->options.settings.policy = &policy;
    model_configure(simulation->model);
    for (int i = 0; i < simulation->count; i++) {
        simulation->clients[i].class = i % 3;
        cr_assert(model_open_as(simulation->model, i, names[i % 3], 1 + (uint32_t)i));
    }
    while (simulation->now_ms < VIRTUAL_MS) {
        uint64_t next = next_time(simulation);
        pass_to(simulation, next == UINT64_MAX ? simulation->now_ms + 100 : next);
        for (int i = 0; i < simulation->count; i++) {
            if (simulation->clients[i].next_at > simulation->now_ms) {
                continue;
            }
            if (simulation->clients[i].lease) {
                let_go(simulation, i);
            }
            ask(simulation, i, 4 * MIB + below(simulation, 4) * MIB);
            take_answers(simulation, 500 + below(simulation, 2000));
        }
        take_answers(simulation, 500 + below(simulation, 2000));
    }
    double sum = simulation->held[0] + simulation->held[1] + simulation->held[2];
    for (int i = 0; i < 3; i++) {
        shares[i] = simulation->held[i] / sum;
    }
    (void)simulation_free(simulation);
}

Test(simulation, under_saturation_shares_follow_the_weights, .timeout = 300, .fini = print_trace)
{
    for (running = 1; running <= 5; running++) {
        double shares[3];
        saturate(running, shares);
        for (int i = 0; i < 3; i++) {
            double fair = (i + 1) / 6.0;
            cr_assert(shares[i] > fair * 0.9 && shares[i] < fair * 1.1, "class %d has %.3f, and %.3f were fair", i,
                      shares[i], fair);
        }
    }
    running = 0;
}
