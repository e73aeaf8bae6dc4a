/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evictions under random load, with classes that have reserves, and with the queue. What may be evicted is computed
 * anew here, from the listings: never a block with a view, none in vain, none that did not have to go, and no byte that
 * another class has reserved. MEMBROKER_SEED runs one seed alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "tests/unit/core/environment.h"
#include "tests/unit/core/sharing.h"

TestSuite(random_evictions, .timeout = 600);

enum { PEERS = 4, CLASSES = 3, NAMES = 6, HELD = 32, BLOCKS = 64, STEPS = 300, HOST_MIB = 32 };

/* The peers' classes, by the names of their clients. */
static const char *const class_names[CLASSES] = {"default", "r", "s"};
static const int class_of_peer[PEERS] = {1, 2, 0, 0};

static struct model *model;
static uint64_t state, waits_ms;
static uint64_t held[PEERS][HELD]; /* leases and views; 0: none */
static uint64_t pending[PEERS];    /* the request of each that waits, at most one; 0: none */

static uint64_t random_below(uint64_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}

/* ---- what there is ---- */

struct world {
    struct block_entry blocks[BLOCKS];
    size_t count;
    int64_t used[CLASSES], reserve[CLASSES];
    struct status_reply status;
};

/* After what an eviction leaves for the next steps: its publisher's lease, and those that wait for its bytes. */
static struct world world_now(void)
{
    for (int i = 0; i < 3; i++) {
        model_pass(model, 1);
    }
    struct world world = {.status = model_status(model)};
    struct usage_entry entries[32];
    bool more;
    world.count = broker_list_blocks(model->broker, &model_root, 0, model->now, world.blocks, BLOCKS, &more);
    cr_assert(!more);
    size_t count = broker_list_usage(model->broker, &model_root, 0, model->now, entries, 32, &more);
    cr_assert(!more);
    for (size_t i = 0; i < count; i++) {
        for (int class = 0; class < CLASSES; class ++) {
            if (entries[i].kind == USAGE_CLASS && strcmp(entries[i].name, class_names[class]) == 0) {
                world.used[class] = (int64_t)entries[i].physical_bytes;
                world.reserve[class] = (int64_t)entries[i].reserve_bytes;
            }
        }
    }
    return world;
}

static int class_of(const struct block_entry *block)
{
    return class_of_peer[block->owner - 1000];
}

/* What a class could still have: not what others have, and not what is left of their reserves. */
static int64_t free_for(const struct world *world, int class)
{
    int64_t bytes = (int64_t)HOST_MIB * (int64_t)MIB;
    for (int other = 0; other < CLASSES; other++) {
        int64_t unfilled = world->reserve[other] - world->used[other];
        bytes -= world->used[other] + (other != class && unfilled > 0 ? unfilled : 0);
    }
    return bytes;
}

static uint32_t views_of(const struct block_entry *block)
{
    return block->views - (block->publisher ? 1 : 0);
}

static bool is_idle_cache(const struct block_entry *block)
{
    return block->ended == END_NONE && block->lifetime == LIFETIME_CACHE && views_of(block) == 0;
}

static bool is_named_in(const struct world *world, uint64_t number)
{
    for (size_t i = 0; i < world->count; i++) {
        if (world->blocks[i].block == number) {
            return world->blocks[i].ended == END_NONE;
        }
    }
    return false;
}

/* ---- what must hold ---- */

/* Nothing but evictions took names away. */
static size_t check_evicted(const struct world *before, const struct world *after)
{
    size_t evicted = 0;
    for (size_t i = 0; i < before->count; i++) {
        const struct block_entry *block = &before->blocks[i];
        if (block->ended == END_NONE && !is_named_in(after, block->block)) {
            cr_assert(is_idle_cache(block), "block %llu with %u views was evicted", (unsigned long long)block->block,
                      views_of(block));
            evicted++;
        }
    }
    cr_assert_eq(after->status.blocks.evicted - before->status.blocks.evicted, evicted);
    return evicted;
}

/* Each of them had to go: if it had stayed, the request would not have fitted. */
static void check_each_was_needed(const struct world *before, const struct world *after, int class)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct block_entry *block = &before->blocks[i];
        if (block->ended == END_NONE && !is_named_in(after, block->block)) {
            struct world other = *after;
            other.used[class_of(block)] += (int64_t)block->bytes;
            cr_assert_lt(free_for(&other, class), 0, "block %llu could have stayed", (unsigned long long)block->block);
        }
    }
}

/* All idle caches together would not have done. */
static void check_refusal(const struct world *before, int class, uint64_t bytes)
{
    struct world without = *before;
    for (size_t i = 0; i < before->count; i++) {
        if (is_idle_cache(&before->blocks[i])) {
            without.used[class_of(&before->blocks[i])] -= (int64_t)before->blocks[i].bytes;
        }
    }
    cr_assert_lt(free_for(&without, class), (int64_t)bytes, "refused although evictions would have done");
}

/* What was evicted is free again at once: it served the request, or one of those that waited. */
static void check_served(const struct reply *reply, size_t evicted)
{
    bool is_served = reply && reply->kind == REPLY_GRANT;
    for (int peer = 0; peer < PEERS; peer++) {
        const struct reply *other = pending[peer] ? model_answer(model, pending[peer]) : NULL;
        is_served = is_served || (other && other->kind == REPLY_GRANT);
    }
    cr_assert(is_served || evicted == 0, "%zu blocks were evicted for nobody", evicted);
}

/* While others wait, their claims count too; the invariants of each step have them. */
static void check_acquired(const struct world *before, int peer, uint64_t bytes, uint64_t request)
{
    struct world after = world_now();
    const struct reply *reply = model_answer(model, request);
    int class = class_of_peer[peer];
    size_t evicted = check_evicted(before, &after);
    check_served(reply, evicted);
    if (before->status.waiting || after.status.waiting) {
        return;
    }
    if (reply && reply->kind == REPLY_GRANT) {
        cr_assert_geq(free_for(&after, class), 0, "out of the reserve of others");
        check_each_was_needed(before, &after, class);
    } else {
        cr_assert_eq(evicted, 0, "evicted in vain");
        check_refusal(before, class, bytes);
    }
}

/* ---- what happens ---- */

static void keep(int peer, uint64_t lease)
{
    for (int i = 0; i < HELD; i++) {
        if (!held[peer][i]) {
            held[peer][i] = lease;
            return;
        }
    }
    model_release(model, peer, lease);
}

static void release(int peer)
{
    uint64_t *lease = &held[peer][random_below(HELD)];
    if (*lease) {
        model_release(model, peer, *lease);
        *lease = 0;
    }
}

/* What was granted after a wait is held like the rest; the others were refused. */
static void take_answers(void)
{
    for (int peer = 0; peer < PEERS; peer++) {
        const struct reply *reply = pending[peer] ? model_answer(model, pending[peer]) : NULL;
        if (reply) {
            pending[peer] = 0;
        }
        if (reply && reply->kind == REPLY_GRANT) {
            keep(peer, reply->grant.lease);
        }
    }
}

static uint64_t acquire(int peer, uint64_t most_mib, bool publishable)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    uint64_t bytes = (1 + random_below(most_mib)) * MIB;
    request.acquire = (struct acquire_request){.bytes = bytes,
                                               .location = LOCATION_RAM,
                                               .ttl_ms = 60000,
                                               .numa_node = -1,
                                               .wait_ms = publishable || pending[peer] ? 0 : (uint32_t)waits_ms,
                                               .publishable = publishable};
    struct world before = world_now();
    (void)model_request(model, peer, &request);
    check_acquired(&before, peer, bytes, request.id);
    const struct reply *reply = model_answer(model, request.id);
    pending[peer] = reply ? pending[peer] : request.id;
    return reply && reply->kind == REPLY_GRANT ? reply->grant.lease : 0;
}

static void random_name(char name[MESSAGE_NAME_SIZE])
{
    (void)snprintf(name, MESSAGE_NAME_SIZE, "n%u", (unsigned)random_below(NAMES));
}

/* Mostly a cache, and mostly one that its publisher lets go of. */
static void publish(int peer)
{
    uint64_t lease = acquire(peer, 5, true);
    struct request request = {.kind = REQUEST_PUBLISH};
    if (!lease) {
        return;
    }
    request.publish =
        (struct publish_request){.lease = lease,
                                 .lifetime = random_below(4) ? LIFETIME_CACHE : (enum lifetime)random_below(2),
                                 .access = BLOCK_ACCESS_ALL,
                                 .replace = true};
    random_name(request.publish.name);
    const struct reply *reply = model_request(model, peer, &request);
    cr_assert(reply && reply->kind == REPLY_DONE, "%s", reply ? reply->error.sentence : "no answer");
    if (random_below(3)) {
        model_release(model, peer, lease);
    } else {
        keep(peer, lease);
    }
}

/* A view needs no memory, so nothing goes for it. */
static void attach(int peer)
{
    struct request request = {
        .kind = REQUEST_ATTACH_BLOCK,
        .attach_block = {.has_owner = true, .owner = 1000 + (uint32_t)random_below(PEERS), .ttl_ms = 60000}};
    random_name(request.attach_block.name);
    struct world before = world_now();
    const struct reply *reply = model_request(model, peer, &request);
    struct world after = world_now();
    cr_assert_eq(check_evicted(&before, &after), 0);
    if (reply && reply->kind == REPLY_ATTACHED) {
        keep(peer, reply->attached.lease);
    }
}

static void happen(void)
{
    int peer = (int)random_below(PEERS);
    uint64_t lease;
    switch (random_below(8)) {
    case 0:
    case 1:
        publish(peer);
        break;
    case 2:
    case 3:
        attach(peer);
        break;
    case 4:
    case 5:
        lease = acquire(peer, 12, false);
        if (lease) {
            keep(peer, lease);
        }
        break;
    default:
        release(peer);
        break;
    }
}

static uint64_t run(uint64_t seed)
{
    struct policy_member members[CLASSES] = {
        {.kind = MEMBER_CLIENT}, {.kind = MEMBER_CLIENT, .name = "r*"}, {.kind = MEMBER_CLIENT, .name = "s*"}};
    struct policy_rule rules[CLASSES - 1];
    const struct policy policy = {.rules = rules, .rule_count = CLASSES - 1};
    model = model_new(0, HOST_MIB * MIB, 0);
    for (int class = 1; class < CLASSES; class ++) {
        rules[class - 1] = one_rule(PRINCIPAL_CLASS, class_names[class]);
        rules[class - 1].quota.reserve_bytes = (uint64_t)(class == 1 ? 8 : 4) * MIB;
        rules[class - 1].members = &members[class];
        rules[class - 1].member_count = 1;
    }
    model->options.settings.policy = &policy;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
    memset(held, 0, sizeof held);
    memset(pending, 0, sizeof pending);
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int peer = 0; peer < PEERS; peer++) {
        model_open_as(model, peer, class_names[class_of_peer[peer]], 1000 + (uint32_t)peer);
    }
    for (int i = 0; i < STEPS; i++) {
        happen();
        take_answers();
    }
    uint64_t evicted = model_status(model).blocks.evicted;
    model_free(model);
    return evicted;
}

static uint64_t running;

static void name_seed(void)
{
    if (running) {
        (void)fprintf(stderr, "the last seed was %llu (MEMBROKER_SEED runs it alone)\n", (unsigned long long)running);
    }
}

static void run_all(uint32_t wait_ms)
{
    uint64_t only = from_environment("MEMBROKER_SEED", 0), evicted = 0;
    uint64_t count = from_environment("MEMBROKER_SEQUENCES", 40);
    waits_ms = wait_ms;
    for (running = only ? only : 1; running <= (only ? only : count); running++) {
        evicted += run(running);
    }
    running = 0;
    cr_expect(only || evicted > count, "only %llu blocks were evicted", (unsigned long long)evicted);
}

Test(random_evictions, take_only_what_must_and_may_go, .fini = name_seed)
{
    run_all(0);
}

Test(random_evictions, serve_those_that_wait, .fini = name_seed)
{
    run_all(30000);
}
