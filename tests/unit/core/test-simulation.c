/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core under hours of virtual time: clients of a few users, and of classes that each seed draws again (weights,
 * priorities, reserves, limits, with and without revocation), think, request RAM, files or either, hold, release and
 * die. After each step the limits and the reserves hold, and no request waits for memory that is free; and
 * no request waits longer than the stated bound. A failure prints the seed and a trace; MEMBROKER_SEED=N replays
 * one seed, and with MEMBROKER_TRACE=1 all of it is printed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/size.h"
#include "tests/unit/core/environment.h"
#include "tests/unit/core/shell_model.h"

#define MIB      UINT64_C(1048576)
#define CAPACITY (64 * MIB)
#define FILES    (32 * MIB)

enum {
    CLIENTS = 14,
    HOLD_MAX_MS = 20000,
    AGEING_MS = 30000,
    VIRTUAL_MS = 7200 * 1000,
    /* queue.c: (top priority - own + OVERDUE_TIMES) ageing times until no later request goes first; then each of
     * those before it may hold what it needs once, for as long as a lease is held here */
    CLASSES_MAX = 5, /* and that of those who belong to none */
    PRIORITY_MAX = 3,
    WAIT_BOUND_MS = (PRIORITY_MAX + 4) * AGEING_MS + CLIENTS * HOLD_MAX_MS,
    TRACE_LINES = 60,
};

struct client {
    uint64_t lease;      /* 0: none */
    uint64_t request;    /* 0: none waits */
    uint64_t bytes;      /* asked for */
    uint64_t asked_at;   /* ms */
    uint64_t next_at;    /* ms: when it does something again */
    int class;           /* the number of classes: none of them */
    uint64_t held_bytes; /* of its lease */
    enum location held_in;
};

struct simulation {
    struct model *model;
    struct client clients[CLIENTS];
    int count;
    uint64_t state, now_ms;
    uint64_t longest_wait_ms, grants;
    int class_count;
    struct policy_rule rules[CLASSES_MAX];
    struct policy_member members[CLASSES_MAX];
    struct policy policy;
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

/* What clients of a class hold in a location; -1: of all. */
static uint64_t held_by(const struct simulation *simulation, int class, enum location location)
{
    uint64_t bytes = 0;
    for (int i = 0; i < simulation->count; i++) {
        const struct client *client = &simulation->clients[i];
        bytes += (class < 0 || client->class == class) && client->held_in == location ? client->held_bytes : 0;
    }
    return bytes;
}

static uint64_t reserve_of(const struct simulation *simulation, int class)
{
    return class < simulation->class_count ? simulation->rules[class].quota.reserve_bytes : 0;
}

static uint64_t limit_of(const struct simulation *simulation, int class)
{
    return class < simulation->class_count ? simulation->rules[class].quota.limits.max_physical_bytes : LIMIT_OFF;
}

/* What of the host's RAM is kept for other classes than this one, or would be if they held nothing. */
static uint64_t kept_for_others(const struct simulation *simulation, int class, bool all)
{
    uint64_t bytes = 0;
    for (int other = 0; other < simulation->class_count; other++) {
        uint64_t used = all ? 0 : held_by(simulation, other, LOCATION_RAM);
        bytes += other == class ? 0 : size_subtract_floored(reserve_of(simulation, other), used);
    }
    return bytes;
}

/* What those who stand before in the queue claim. */
struct claims {
    uint64_t host, files, class[CLASSES_MAX + 1];
};

/* Whether RAM would do for it now; if not, and it ever could, it claims: at the host, unless its class is shorter. */
static bool ram_fits(const struct simulation *simulation, int class, uint64_t bytes, struct claims *claims)
{
    uint64_t used = held_by(simulation, -1, LOCATION_RAM) + kept_for_others(simulation, class, false);
    uint64_t host = size_subtract_floored(CAPACITY, used + claims->host);
    uint64_t of_class = size_subtract_floored(limit_of(simulation, class),
                                              held_by(simulation, class, LOCATION_RAM) + claims->class[class]);
    bool fits_ever =
        bytes <= limit_of(simulation, class) && bytes + kept_for_others(simulation, class, true) <= CAPACITY;
    if (bytes <= host && bytes <= of_class) {
        return true;
    }
    if (fits_ever) {
        claims->class[class] += bytes;
        claims->host += bytes > host && (host <= of_class || bytes <= of_class) ? bytes : 0;
    }
    return false;
}

static bool file_fits(const struct simulation *simulation, uint64_t bytes, struct claims *claims)
{
    uint64_t free_bytes = size_subtract_floored(FILES, held_by(simulation, -1, LOCATION_MMAP) + claims->files);
    if (bytes > free_bytes) {
        claims->files += bytes <= FILES ? bytes : 0;
    }
    return bytes <= free_bytes;
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

/* The place in the queue of one that would fit beside those before it; 0: there is none. */
static uint64_t place_of_idler(const struct simulation *simulation)
{
    static struct queue_entry queue[CLIENTS];
    struct claims claims = {0};
    bool more;
    size_t count =
        broker_list_queue(simulation->model->broker, &model_root, 0, simulation->model->now, queue, CLIENTS, &more);
    for (size_t i = 0; i < count; i++) {
        const struct client *client = client_of(simulation, queue[i].session);
        uint64_t bytes = queue[i].bytes;
        cr_assert(client);
        if ((queue[i].location != LOCATION_MMAP && ram_fits(simulation, client->class, bytes, &claims)) ||
            (queue[i].location != LOCATION_RAM && file_fits(simulation, bytes, &claims))) {
            return queue[i].place;
        }
    }
    return 0;
}

static void pass_to(struct simulation *simulation, uint64_t now_ms);
static void take_answers(struct simulation *simulation, uint64_t hold_ms);

/* The order changes with each grant and with time. The queue is examined again when something happens, and every
 * 250 ms: no request may wait longer than that for free memory. */
static void check_work_conserving(struct simulation *simulation)
{
    uint64_t place = place_of_idler(simulation);
    for (int looks = 0; place && looks < 4; looks++) {
        pass_to(simulation, simulation->now_ms + 250);
        take_answers(simulation, 0);
        place = place_of_idler(simulation);
    }
    cr_assert(!place, "place %llu waits, and what it asks for is free", (unsigned long long)place);
}

static void check(struct simulation *simulation)
{
    struct status_reply status = model_status(simulation->model);
    cr_assert_eq(status.used_physical_bytes, held_by(simulation, -1, LOCATION_RAM));
    cr_assert_eq(status.used_mapped_bytes, held_by(simulation, -1, LOCATION_MMAP));
    cr_assert(status.used_physical_bytes + status.reserved_bytes <= CAPACITY, "limit or reserve broken");
    cr_assert(status.used_mapped_bytes <= FILES, "limit broken");
    for (int class = 0; class < simulation->class_count; class ++) {
        cr_assert(held_by(simulation, class, LOCATION_RAM) <= limit_of(simulation, class), "a class's limit broken");
    }
    check_work_conserving(simulation);
}

/* ---- clients ---- */

/* A lease that was revoked is not held any more. */
static void lose_leases(struct simulation *simulation)
{
    for (int i = 0; i < simulation->count; i++) {
        struct client *client = &simulation->clients[i];
        if (client->lease && model_events(simulation->model, i, EVENT_LEASE_ENDED)) {
            TRACE("%llu: client %d loses its lease", (unsigned long long)simulation->now_ms, i);
            client->lease = client->held_bytes = 0;
            client->next_at = simulation->now_ms + 1 + below(simulation, 3000);
        }
    }
}

/* Whoever waited was served or refused meanwhile. */
static void take_answers(struct simulation *simulation, uint64_t hold_ms)
{
    lose_leases(simulation);
    for (int i = 0; i < simulation->count; i++) {
        struct client *client = &simulation->clients[i];
        const struct reply *reply = client->request ? model_answer(simulation->model, client->request) : NULL;
        if (!reply) {
            continue;
        }
        uint64_t waited = simulation->now_ms - client->asked_at;
        if (reply->kind == REPLY_ERROR && reply->error.system_errno == ENOMEM) { /* it could not be made */
            client->request = 0;
            client->next_at = simulation->now_ms + 1 + below(simulation, 3000);
            continue;
        }
        cr_assert(reply->kind == REPLY_GRANT, "%s", reply->error.sentence);
        cr_assert(waited <= WAIT_BOUND_MS, "client %d waited %llu ms", i, (unsigned long long)waited);
        TRACE("%llu: client %d of class %d has %llu MiB after %llu ms", (unsigned long long)simulation->now_ms, i,
              client->class, (unsigned long long)(client->bytes / MIB), (unsigned long long)waited);
        simulation->longest_wait_ms = waited > simulation->longest_wait_ms ? waited : simulation->longest_wait_ms;
        simulation->grants++;
        client->request = 0;
        client->lease = reply->grant.lease;
        client->held_bytes = reply->grant.bytes;
        client->held_in = reply->grant.location;
        client->next_at = simulation->now_ms + 1 + (hold_ms ? hold_ms : below(simulation, HOLD_MAX_MS));
    }
    model_forget(simulation->model);
}

static void ask(struct simulation *simulation, int i, uint64_t bytes, enum location location)
{
    static const char *const words[] = {[LOCATION_RAM] = "RAM", [LOCATION_MMAP] = "files", [LOCATION_AUTO] = "either"};
    struct client *client = &simulation->clients[i];
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire =
        (struct acquire_request){.bytes = bytes, .location = location, .numa_node = -1, .wait_ms = WAIT_BOUND_MS * 2};
    client->bytes = bytes;
    client->asked_at = simulation->now_ms;
    client->next_at = UINT64_MAX;
    (void)model_request(simulation->model, i, &request);
    client->request = simulation->model->next_request;
    TRACE("%llu: client %d of class %d asks for %llu MiB of %s", (unsigned long long)simulation->now_ms, i,
          client->class, (unsigned long long)(bytes / MIB), words[location]);
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
    char name[8];
    struct client *client = &simulation->clients[i];
    *client = (struct client){.class = i % (simulation->class_count + 1),
                              .next_at = simulation->now_ms + below(simulation, 1000)};
    (void)snprintf(name, sizeof name, "%d", client->class);
    cr_assert(model_open_as(simulation->model, i, name, 1 + (uint32_t)below(simulation, 3)));
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
        static const enum location locations[] = {LOCATION_RAM,  LOCATION_RAM,  LOCATION_RAM,
                                                  LOCATION_MMAP, LOCATION_AUTO, LOCATION_AUTO};
        enum location location = locations[below(simulation, sizeof locations / sizeof *locations)];
        uint64_t large = below(simulation, 8) == 0 ? 44 : 12;
        uint64_t most = size_min(limit_of(simulation, client->class), location == LOCATION_MMAP ? FILES : CAPACITY);
        ask(simulation, i, size_min((1 + below(simulation, large)) * MIB, most), location);
    }
}

/* ---- time ---- */

/* Classes by a client's name, "0", "1" and so on; together they reserve at most 15 of 64 MiB. */
static void draw_classes(struct simulation *simulation)
{
    simulation->class_count = 1 + (int)below(simulation, CLASSES_MAX);
    for (int i = 0; i < simulation->class_count; i++) {
        struct policy_rule *rule = &simulation->rules[i];
        *rule = (struct policy_rule){.kind = PRINCIPAL_CLASS, .quota = quota_none(), .member_count = 1};
        rule->members = &simulation->members[i];
        simulation->members[i].kind = MEMBER_CLIENT;
        (void)snprintf(simulation->members[i].name, sizeof simulation->members[i].name, "%d", i);
        (void)snprintf(rule->name, sizeof rule->name, "class-%d", i);
        rule->quota.weight = 1 + (uint32_t)below(simulation, 4);
        rule->quota.has_priority = true;
        rule->quota.priority = (uint32_t)below(simulation, PRIORITY_MAX + 1);
        rule->quota.reserve_bytes = below(simulation, 2) ? below(simulation, 4) * MIB : 0;
        if (below(simulation, 3) == 0) {
            rule->quota.limits.max_physical_bytes = (8 + below(simulation, 40)) * MIB;
        }
    }
    simulation->policy = (struct policy){.rules = simulation->rules, .rule_count = (size_t)simulation->class_count};
    simulation->model->options.settings.policy = &simulation->policy;
    simulation->model->options.settings.queue.revoke_for_priority = below(simulation, 3) == 0;
    simulation->model->options.settings.queue.revoke_grace_ms = 15000;
    model_configure(simulation->model);
}

static struct simulation *simulation_new(uint64_t seed, int count)
{
    struct simulation *simulation = calloc(1, sizeof *simulation);
    cr_assert(simulation);
    simulation->count = count;
    simulation->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    simulation->model = model_new(0, CAPACITY, FILES);
    simulation->model->check_every = 257; /* all tables take long to check; what matters here is checked below */
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

/* Not back: the check of who idles may have gone on already. */
static void pass_to(struct simulation *simulation, uint64_t now_ms)
{
    now_ms = now_ms > simulation->now_ms ? now_ms : simulation->now_ms;
    model_pass(simulation->model, now_ms - simulation->now_ms);
    simulation->now_ms = now_ms;
}

static struct simulation *simulated; /* that of the present run */

/* Now and then the kernel has no memory, and sometimes no file either. */
static int fail_some(const struct effect_make *make)
{
    (void)make;
    return below(simulated, 16) == 0 ? -ENOMEM : 0;
}

static uint64_t run(uint64_t seed)
{
    struct simulation *simulation = simulated = simulation_new(seed, CLIENTS);
    simulation->model->fail_making = fail_some;
    draw_classes(simulation);
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

Test(simulation, hours_of_competition_keep_every_promise, .timeout = 7200, .fini = print_trace)
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
