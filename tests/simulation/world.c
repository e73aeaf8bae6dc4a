/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proto/base/size.h"
#include "tests/simulation/fate.h"
#include "tests/simulation/jobs.h"
#include "tests/simulation/sharing.h"
#include "tests/simulation/virtual_time.h"
#include "tests/simulation/world_config.h"

#define MIB UINT64_C(1048576)

enum {
    CLIENTS = 12,
    CROWD = 48, /* in every fourth seed: more than a pass over the queue takes in one step */
    USERS = 3,
    HELD_MAX = 3,
    AWAY_MAX_MS = WORLD_GRACE_MS + 3000,
    FROZEN_MAX_MS = WORLD_HOLD_MS / 3,
    LIFE_MS = 300 * 1000,
    PEACE_MS = 200 * 1000, /* until everything has come back */
    SLACK_MS = 100,        /* of an answer: jobs that are done first */
};

struct client {
    uint64_t state; /* of its random numbers */
    uint32_t uid;
    char name[8];
    uint64_t next_at; /* ns */
    uint64_t next_request;
    uint64_t request, answer_by; /* 0: none is in progress */
    bool is_cancelled, owes_trim;
    bool is_away; /* its connection broke */
    unsigned group;
    uint64_t frozen_at;      /* 0: it is not */
    uint64_t held[HELD_MAX]; /* leases */
    size_t held_count;
};

uint64_t world_restarts;

struct world {
    const struct shell_kind *kind;
    struct shell *shell;
    struct client clients[CLIENTS_MAX];
    int count;
    struct jobs jobs;
    struct sharing sharing;
    uint64_t next_restart; /* ns */
    uint64_t now;
    struct outcome *outcome;
    bool is_over; /* no client asks for anything new */
};

/* ---- what clients hear ---- */

static void note(struct world *world, int client, const struct reply *reply)
{
    struct history *history = &world->outcome->histories[client];
    if (history->count == history->capacity) {
        history->capacity = history->capacity ? history->capacity * 2 : 256;
        history->heard = reallocarray(history->heard, history->capacity, sizeof *history->heard);
        cr_assert(history->heard);
    }
    history->heard[history->count++] = outcome_heard(reply, world->now / MS);
}

static void take_grant(struct world *world, struct client *client, const struct grant_reply *grant)
{
    const struct job *job = jobs_of(&world->jobs, client->group, client->uid);
    world->outcome->grants++;
    world->outcome->grants_to_members += job != NULL;
    cr_assert(!job || job_may_grant(job, world->now), "a member of what was given up is granted memory");
    for (size_t i = 0; i < client->held_count; i++) {
        if (client->held[i] == grant->lease) {
            return; /* it was extended */
        }
    }
    cr_assert(client->held_count < HELD_MAX);
    client->held[client->held_count++] = grant->lease;
}

static void drop_held(struct client *client, uint64_t lease)
{
    for (size_t i = 0; i < client->held_count; i++) {
        if (client->held[i] == lease) {
            client->held[i] = client->held[--client->held_count];
            return;
        }
    }
}

/* Nothing but what can really happen here is said to anybody. */
static void take_error(struct world *world, struct client *client, const struct error_reply *error)
{
    bool failed = error->code == ERROR_SYSTEM || error->code == ERROR_TOO_MANY || error->code == ERROR_HOST_MEMORY;
    bool is_bound = strstr(error->sentence, "are in progress") || strstr(error->sentence, "wait for memory already");
    bool is_known = error->code == ERROR_LIMIT || error->code == ERROR_CANCELLED ||
                    error->code == ERROR_NO_SUCH_LEASE || error->code == ERROR_LEASE_ENDED;
    cr_assert((is_known && (error->code != ERROR_CANCELLED || client->is_cancelled)) || (failed && !is_bound), "%s",
              error->sentence);
    *(failed ? &world->outcome->failures : &world->outcome->refusals) += 1;
}

static void take_answer(struct world *world, struct client *client, const struct reply *reply)
{
    if (reply->reply_to != client->request) {
        return; /* of something that is not waited for */
    }
    cr_assert(world->now <= client->answer_by, "a request that was to wait until %llu ms is answered at %llu",
              (unsigned long long)(client->answer_by / MS), (unsigned long long)(world->now / MS));
    client->request = 0;
    client->next_at = world->now + (1 + random_below(&client->state, 2000)) * MS;
    if (reply->kind == REPLY_GRANT) {
        take_grant(world, client, &reply->grant);
    } else if (reply->kind == REPLY_ERROR) {
        take_error(world, client, &reply->error);
    }
}

static void take_event(struct world *world, struct client *client, const struct reply *reply)
{
    if (reply->kind == EVENT_LEASE_ENDED) {
        const struct job *job = jobs_of(&world->jobs, client->group, client->uid);
        drop_held(client, reply->lease_ended.lease);
        world->outcome->ended++;
        cr_assert(!job || reply->lease_ended.reason != END_EXPIRED || !job_holds(job, client->frozen_at, world->now),
                  "lease %llu of a member that can't renew expires", (unsigned long long)reply->lease_ended.lease);
    } else if (reply->kind == EVENT_TRIM && !client->frozen_at && random_below(&client->state, 2)) {
        client->owes_trim = true;
        client->next_at = size_min(client->next_at, world->now + 20 * MS);
    }
}

void world_take_reply(struct world *world, int number, const struct reply *reply, uint64_t now)
{
    struct client *client = &world->clients[number];
    world->now = now;
    note(world, number, reply);
    if (number == SCHEDULER) {
        jobs_take_answer(&world->jobs, reply);
    } else if (sharing_take_reply(&world->sharing, number, reply, now)) {
        return;
    } else if (reply->is_answer) {
        take_answer(world, client, reply);
    } else {
        take_event(world, client, reply);
    }
}

/* ---- what clients do ---- */

static void send(struct world *world, int number, struct request *request)
{
    request->id = ++world->clients[number].next_request;
    world->kind->send(world->shell, number, request);
}

static void expect_answer(struct world *world, struct client *client, uint32_t wait_ms)
{
    client->request = client->next_request + 1; /* the one that is sent next */
    client->is_cancelled = false;
    /* requests that may not wait still wait for trims and for bytes being freed */
    client->answer_by = world->now + (size_min(UINT64_MAX / MS, (uint64_t)wait_ms) + 6000 + SLACK_MS) * MS;
    client->next_at = random_below(&client->state, 8)
                          ? UINT64_MAX
                          : world->now + (1 + random_below(&client->state, 5000)) * MS; /* to cancel */
}

static uint32_t some_wait(struct client *client)
{
    return random_below(&client->state, 3) ? (uint32_t)(500 + random_below(&client->state, 20000)) : 0;
}

static void ask(struct world *world, int number)
{
    static const enum location locations[] = {LOCATION_RAM,  LOCATION_RAM,  LOCATION_RAM,
                                              LOCATION_MMAP, LOCATION_AUTO, LOCATION_AUTO};
    struct client *client = &world->clients[number];
    uint64_t mib = 1 + random_below(&client->state, random_below(&client->state, 8) ? 12 : 44);
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = mib * MIB - random_below(&client->state, 5000),
        .location = locations[random_below(&client->state, sizeof locations / sizeof *locations)],
        .ttl_ms = random_below(&client->state, 3) ? 3600 * 1000 : (uint32_t)(2000 + random_below(&client->state, 8000)),
        .numa_node = -1,
        .wait_ms = some_wait(client),
    };
    request.acquire.prefault = request.acquire.location != LOCATION_MMAP && random_below(&client->state, 4) == 0;
    expect_answer(world, client, request.acquire.wait_ms);
    send(world, number, &request);
}

static void extend(struct world *world, int number)
{
    struct client *client = &world->clients[number];
    struct request request = {.kind = REQUEST_EXTEND};
    request.extend = (struct extend_request){
        .lease = client->held[0], .bytes = (1 + random_below(&client->state, 4)) * MIB, .wait_ms = some_wait(client)};
    expect_answer(world, client, request.extend.wait_ms);
    send(world, number, &request);
}

static void release(struct world *world, int number, size_t which)
{
    struct client *client = &world->clients[number];
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = client->held[which]};
    drop_held(client, request.release_lease);
    send(world, number, &request);
}

/* Where it is may be another job by then. */
static void begin_again(struct world *world, int number)
{
    struct client *client = &world->clients[number];
    client->group = (unsigned)random_below(&client->state, GROUPS);
    client->held_count = 0;
    client->request = 0;
    client->owes_trim = client->is_away = false;
    client->next_at = world->now + (1 + random_below(&client->state, 3000)) * MS;
    if (!world->is_over) {
        const struct shell_client as = {client->name, client->uid, jobs_group(client->group)};
        world->kind->open(world->shell, number, &as);
    } else {
        client->next_at = UINT64_MAX;
    }
}

static void leave(struct world *world, int number, bool dies)
{
    (dies ? world->kind->die : world->kind->disconnect)(world->shell, number);
    begin_again(world, number);
}

/* What it asked for on the broken connection is not answered any more. */
static void be_away(const struct world *world, struct client *client)
{
    client->request = 0;
    client->owes_trim = false;
    client->is_away = true;
    client->next_at = world->now + (1 + random_below(&client->state, AWAY_MAX_MS)) * MS;
}

static void break_off(struct world *world, int number)
{
    struct client *client = &world->clients[number];
    world->kind->disconnect(world->shell, number);
    be_away(world, client);
}

/* What ended meanwhile it finds out when it uses it. */
static void come_back(struct world *world, int number)
{
    struct client *client = &world->clients[number];
    if (world->kind->resume(world->shell, number)) {
        client->is_away = false;
        client->next_at = world->now + (1 + random_below(&client->state, 1000)) * MS;
    } else {
        begin_again(world, number);
    }
}

static void renew(struct world *world, int number)
{
    struct request request = {.kind = REQUEST_RENEW};
    send(world, number, &request);
}

static void freeze(struct world *world, int number)
{
    struct client *client = &world->clients[number];
    client->frozen_at = world->now;
    client->next_at = world->now + (1 + random_below(&client->state, FROZEN_MAX_MS)) * MS;
    world->kind->freeze(world->shell, number, true);
}

/* It renews first of all. */
static void thaw(struct world *world, int number)
{
    struct client *client = &world->clients[number];
    client->frozen_at = 0;
    client->next_at = world->now + (1 + random_below(&client->state, 1000)) * MS;
    world->kind->freeze(world->shell, number, false);
    renew(world, number);
}

static void act_freely(struct world *world, int number)
{
    struct client *client = &world->clients[number];
    uint64_t drawn = random_below(&client->state, 100);
    client->next_at = world->now + (1 + random_below(&client->state, 3000)) * MS;
    if (drawn < 2) {
        leave(world, number, true);
    } else if (drawn < 4) {
        leave(world, number, false);
    } else if (drawn < 8) {
        break_off(world, number);
    } else if (drawn < 11) {
        freeze(world, number);
    } else if (client->held_count && drawn < 20) {
        extend(world, number);
    } else if (client->held_count && drawn < 30) {
        renew(world, number);
    } else if (client->held_count == HELD_MAX || (client->held_count && drawn < 65)) {
        release(world, number, random_below(&client->state, client->held_count));
    } else {
        ask(world, number);
    }
}

static void act(struct world *world, int number)
{
    struct client *client = &world->clients[number];
    if (world->is_over) {
        client->next_at = UINT64_MAX;
    } else if (client->frozen_at) {
        thaw(world, number);
    } else if (client->is_away) {
        come_back(world, number);
    } else if (client->owes_trim) {
        struct request trimmed = {.kind = REQUEST_TRIMMED};
        client->owes_trim = false;
        client->next_at = client->request ? UINT64_MAX : world->now + 10 * MS;
        send(world, number, &trimmed);
    } else if (client->request) {
        struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = client->request};
        if (random_below(&client->state, 3) == 0) {
            break_off(world, number);
            return;
        }
        client->is_cancelled = true;
        client->next_at = UINT64_MAX;
        send(world, number, &cancel);
    } else {
        act_freely(world, number);
    }
}

/* ---- the course of it ---- */

static uint64_t deadline; /* nothing is done after */

uint64_t world_next_action(const struct world *world)
{
    uint64_t next = size_min(size_min(deadline, world->next_restart), world->jobs.next_at);
    next = size_min(next, sharing_next_action(&world->sharing));
    for (int i = 0; i < world->count; i++) {
        next = size_min(next, world->clients[i].next_at);
    }
    return next;
}

static unsigned inhabited_groups(const struct world *world)
{
    unsigned groups = 0;
    for (int i = 0; i < world->count; i++) {
        groups |= 1U << world->clients[i].group;
    }
    return groups;
}

/* Nobody is connected after it, and no request is in progress. */
static void restart(struct world *world)
{
    world->next_restart = world->now + LIFE_MS / (world_restarts + 1) * MS;
    world->kind->restart(world->shell);
    for (int i = 0; i < world->count; i++) {
        struct client *client = &world->clients[i];
        world->kind->freeze(world->shell, i, false);
        client->frozen_at = 0;
        if (!client->is_away) {
            be_away(world, client);
        }
    }
    sharing_lose_daemon(&world->sharing, world->now);
    cr_assert(world->kind->resume(world->shell, SCHEDULER));
}

static void live_until(struct world *world, uint64_t until)
{
    deadline = until;
    while (world->now < until) {
        world->now = world->kind->pass(world->shell);
        for (int i = 0; i < world->count; i++) {
            if (world->clients[i].next_at <= world->now) {
                act(world, i);
            }
        }
        if (world->jobs.next_at <= world->now) {
            jobs_act(&world->jobs, inhabited_groups(world), world->now);
            world->sharing.sharers.reserved_at = world->jobs.reserved_at;
        }
        sharing_live(&world->sharing, world->now);
        if (world->next_restart <= world->now) {
            restart(world);
        }
        const char *wrong = broker_check(world->kind->broker(world->shell));
        cr_assert(!wrong, "%s", wrong);
    }
}

/* When all have gone, every byte and every count has come back: each user gets all there is. */
static void make_peace(struct world *world)
{
    struct status_reply status = {0};
    world->is_over = fate_is_kind = true;
    for (int i = 0; i < world->count; i++) {
        if (world->clients[i].frozen_at) {
            thaw(world, i);
        }
        leave(world, i, true);
    }
    jobs_end(&world->jobs, world->now);
    sharing_end(&world->sharing, world->now);
    live_until(world, world->now + PEACE_MS * MS);
    broker_fill_status(world->kind->broker(world->shell), &status);
    cr_assert_eq(status.used_bytes, status.pooled_bytes);
    cr_assert_eq(status.waiting + status.sessions, 0);
    for (int user = 0; user < USERS; user++) {
        struct client *client = &world->clients[user];
        uint64_t grants = world->outcome->grants;
        struct request all = {.kind = REQUEST_ACQUIRE};
        all.acquire = (struct acquire_request){.bytes = (uint64_t)(WORLD_RAM_MIB - world_reserves_mib(fate_seed)) * MIB,
                                               .location = LOCATION_RAM,
                                               .ttl_ms = 3600 * 1000,
                                               .numa_node = -1};
        const struct shell_client as = {"last", client->uid, jobs_group(0)};
        world->kind->open(world->shell, user, &as);
        expect_answer(world, client, 0);
        send(world, user, &all);
        client->next_at = UINT64_MAX;
        live_until(world, world->now + 1000 * MS);
        cr_assert_eq(world->outcome->grants, grants + 1, "user %d can't have what is free", user);
        world->kind->die(world->shell, user);
        client->next_at = UINT64_MAX;
        live_until(world, world->now + 1000 * MS);
    }
}

struct outcome *world_run(const struct shell_kind *kind, uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    struct config *config = world_config(seed);
    char *socket = strdup(config->socket);
    world->outcome = calloc(1, sizeof *world->outcome);
    world->kind = kind;
    world->count = seed % 4 == 0 ? CROWD : CLIENTS;
    fate_seed = seed;
    fate_is_kind = false;
    virtual_time_is_on = true;
    virtual_time.now = world->now = 1000000 * MS;
    deadline = world->now;
    world->jobs.next_at = world->next_restart = UINT64_MAX;
    world->shell = kind->begin(world, config);
    for (int i = 0; i < world->count; i++) {
        struct client *client = &world->clients[i];
        client->state = (seed * CLIENTS_MAX + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15) + 1;
        client->next_request = 1; /* the hello */
        client->uid = 1000 + (uint32_t)(i % USERS);
        (void)snprintf(client->name, sizeof client->name, "%d", i % (WORLD_CLASSES + 1));
        begin_again(world, i);
    }
    jobs_begin(&world->jobs, kind, world->shell, seed, world->now);
    sharing_begin(&world->sharing, kind, world->shell, seed, world->now);
    world->next_restart = world_restarts ? world->now + LIFE_MS / (world_restarts + 1) * MS : UINT64_MAX;
    live_until(world, world->now + LIFE_MS * MS);
    world->next_restart = UINT64_MAX;
    world->outcome->sharing = world->sharing.sharers.rules.counts;
    world->outcome->watching = world->sharing.watchers.counts;
    world->outcome->putting = world->sharing.putters.counts;
    world->outcome->jobs_done = world->jobs.done;
    world->outcome->jobs_forgotten = world->jobs.forgotten;
    make_peace(world);
    kind->end(world->shell);
    virtual_time_is_on = false;
    world_config_remove(socket);
    free(socket);
    struct outcome *outcome = world->outcome;
    free(world);
    return outcome;
}
