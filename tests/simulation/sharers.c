/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/sharers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proto/base/size.h"
#include "tests/simulation/virtual_time.h"
#include "tests/simulation/world_config.h"

#define MIB UINT64_C(1048576)

enum {
    NAMES = 4, /* of a user's blocks */
    BLOCK_MAX_MIB = 6,
    FOR_FREES_MS = 6000, /* requests that may not wait still wait for bytes being freed */
    LATE_MS = 1000,      /* a loop whose steps take time counts it as the daemon's own */
};

static void think(struct sharer *sharer, uint64_t now)
{
    actor_pause(&sharer->actor, 5000, now);
}

/* ---- asking ---- */

/* The answer comes later, or at once. */
static void ask(struct sharer *sharer, struct request *request, uint32_t wait_ms, uint64_t now)
{
    sharer->asked = request->kind;
    sharer->answer_by = now + (wait_ms + FOR_FREES_MS + LATE_MS) * MS;
    if (actor_below(&sharer->actor, 16)) {
        sharer->actor.next_at = UINT64_MAX;
    } else {
        actor_pause(&sharer->actor, 3000, now); /* to leave */
    }
    actor_ask(&sharer->actor, request);
}

static uint32_t some_wait(struct sharer *sharer)
{
    return actor_below(&sharer->actor, 2) ? (uint32_t)(500 + actor_below(&sharer->actor, 8000)) : 0;
}

static uint32_t some_ttl(struct sharer *sharer)
{
    return actor_below(&sharer->actor, 3) ? 3600 * 1000 : (uint32_t)(2000 + actor_below(&sharer->actor, 8000));
}

static void random_name(struct sharer *sharer, char name[MESSAGE_NAME_SIZE])
{
    (void)snprintf(name, MESSAGE_NAME_SIZE, "n%u", (unsigned)actor_below(&sharer->actor, NAMES));
}

static void acquire(struct sharer *sharer, uint64_t now)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire =
        (struct acquire_request){.bytes = (1 + actor_below(&sharer->actor, BLOCK_MAX_MIB)) * MIB,
                                 .location = actor_below(&sharer->actor, 4) ? LOCATION_RAM : LOCATION_MMAP,
                                 .ttl_ms = some_ttl(sharer),
                                 .numa_node = -1,
                                 .wait_ms = some_wait(sharer),
                                 .publishable = true};
    ask(sharer, &request, request.acquire.wait_ms, now);
}

static void publish(struct sharer *sharer, uint64_t now)
{
    static const enum lifetime lifetimes[] = {LIFETIME_CACHE, LIFETIME_CACHE, LIFETIME_CACHE, LIFETIME_KEEP,
                                              LIFETIME_SESSION};
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish.lease = sharer->writing;
    request.publish.lifetime = lifetimes[actor_below(&sharer->actor, sizeof lifetimes / sizeof *lifetimes)];
    request.publish.keep_ms =
        request.publish.lifetime == LIFETIME_KEEP ? (uint32_t)(1000 + actor_below(&sharer->actor, 20000)) : 0;
    request.publish.access = actor_below(&sharer->actor, 4) ? BLOCK_ACCESS_ALL : BLOCK_ACCESS_USER;
    request.publish.replace = actor_below(&sharer->actor, 3) > 0;
    random_name(sharer, request.publish.name);
    sharer->publishing = request.publish;
    ask(sharer, &request, 0, now);
}

static void attach(struct sharer *sharer, uint64_t now)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK};
    request.attach_block.has_owner = true;
    request.attach_block.owner = SHARERS_FIRST_UID + (uint32_t)actor_below(&sharer->actor, SHARING_USERS);
    request.attach_block.wait_ms = some_wait(sharer);
    request.attach_block.ttl_ms = some_ttl(sharer);
    random_name(sharer, request.attach_block.name);
    sharer->attaching = request.attach_block;
    ask(sharer, &request, request.attach_block.wait_ms, now);
}

static void unpublish(struct sharer *sharer, uint64_t now)
{
    struct request request = {.kind = REQUEST_UNPUBLISH};
    random_name(sharer, request.unpublish.name);
    ask(sharer, &request, 0, now);
}

static void release(struct sharer *sharer, uint64_t lease)
{
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease};
    actor_send(&sharer->actor, &request);
}

static void close_view(struct sharer *sharer)
{
    size_t which = actor_below(&sharer->actor, sharer->view_count);
    uint64_t lease = sharer->views[which].lease;
    sharer->views[which] = sharer->views[--sharer->view_count];
    release(sharer, lease);
}

static void let_go(struct sharer *sharer)
{
    release(sharer, sharer->published[--sharer->published_count]);
}

/* ---- coming and going ---- */

static void forget(struct sharer *sharer)
{
    sharer->actor.request = sharer->writing = 0;
    sharer->view_count = sharer->published_count = 0;
}

static void begin_again(struct sharer *sharer, uint64_t now)
{
    forget(sharer);
    think(sharer, now);
    actor_open(&sharer->actor);
}

/* The session goes on, and its views hold what they hold; but what ends meanwhile is not heard. */
static void be_away(struct sharer *sharer, uint64_t now)
{
    if (sharer->actor.request && sharer->asked == REQUEST_PUBLISH) { /* whether it is published is not known */
        sharer->published[sharer->published_count++] = sharer->writing;
        sharer->writing = 0;
    }
    actor_be_away(&sharer->actor, now);
}

static void come_back(struct sharers *sharers, struct sharer *sharer, uint64_t now)
{
    if (!sharers->kind->resume(sharers->shell, sharer->actor.number)) {
        begin_again(sharer, now);
        return;
    }
    sharer->actor.is_away = false;
    while (sharer->view_count) {
        close_view(sharer);
    }
    think(sharer, now);
}

static void leave(struct sharers *sharers, struct sharer *sharer, uint64_t now)
{
    uint64_t drawn = actor_below(&sharer->actor, 4);
    int number = sharer->actor.number;
    if (drawn == 0) {
        sharers->kind->die(sharers->shell, number);
        begin_again(sharer, now);
    } else if (drawn == 1) {
        sharers->kind->disconnect(sharers->shell, number);
        begin_again(sharer, now);
    } else {
        sharers->kind->disconnect(sharers->shell, number);
        be_away(sharer, now);
    }
}

static void act_freely(struct sharers *sharers, struct sharer *sharer, uint64_t now)
{
    uint64_t drawn = actor_below(&sharer->actor, 100);
    think(sharer, now);
    if (drawn < 5) {
        leave(sharers, sharer, now);
    } else if (sharer->writing && sharer->published_count < SHARER_LEASES && drawn < 80) {
        publish(sharer, now);
    } else if (sharer->view_count && (drawn < 30 || sharer->view_count == SHARER_VIEWS)) {
        close_view(sharer);
    } else if (sharer->published_count && (drawn < 50 || sharer->published_count == SHARER_LEASES)) {
        let_go(sharer);
    } else if (drawn < 55) {
        unpublish(sharer, now);
    } else if (drawn < 80 && !sharer->writing) {
        acquire(sharer, now);
    } else {
        attach(sharer, now);
    }
}

void sharers_act(struct sharers *sharers, uint64_t now)
{
    for (int i = 0; i < SHARERS; i++) {
        struct sharer *sharer = &sharers->sharers[i];
        if (sharer->actor.next_at > now) {
            continue;
        }
        if (sharer->actor.is_away) {
            come_back(sharers, sharer, now);
        } else if (sharer->actor.request) {
            leave(sharers, sharer, now);
        } else {
            act_freely(sharers, sharer, now);
        }
    }
}

/* ---- hearing ---- */

static void take_attached(struct sharers *sharers, struct sharer *sharer, const struct attached_reply *attached,
                          uint64_t now)
{
    const struct block_entry *named;
    block_rules_look(&sharers->rules, sharers->kind->broker(sharers->shell), now);
    named = block_rules_named(&sharers->rules, sharer->attaching.owner, sharer->attaching.name);
    cr_assert(named && named->block == attached->block, "%s leads to block %llu, which is not published",
              sharer->attaching.name, (unsigned long long)attached->block);
    cr_assert(named->access == BLOCK_ACCESS_ALL || named->owner == sharer->actor.uid);
    sharers->rules.counts.attachments++;
    sharer->views[sharer->view_count++] = (struct known_view){attached->lease, attached->block};
}

static void take_published(struct sharers *sharers, struct sharer *sharer)
{
    bool is_file = !location_is_memory(sharer->writing_location);
    cr_assert(!is_file || sharer->publishing.access == BLOCK_ACCESS_USER, "a file is for others than its own user");
    sharers->rules.counts.files += is_file;
    sharers->rules.counts.publications++;
    sharer->published[sharer->published_count++] = sharer->writing;
    sharer->writing = 0;
}

/* Nothing but what can really happen here is said to anybody. */
static bool may_be_said(enum request_kind asked, enum error_code code)
{
    static const struct {
        enum request_kind asked;
        enum error_code code;
    } pairs[] = {
        {REQUEST_ACQUIRE, ERROR_LIMIT},
        {REQUEST_ACQUIRE, ERROR_SYSTEM},
        {REQUEST_ACQUIRE, ERROR_TOO_MANY},
        {REQUEST_ACQUIRE, ERROR_HOST_MEMORY},
        {REQUEST_ACQUIRE, ERROR_DISK_FULL},
        {REQUEST_PUBLISH, ERROR_NOT_SUPPORTED},
        {REQUEST_PUBLISH, ERROR_STILL_WRITABLE},
        {REQUEST_PUBLISH, ERROR_NAME_TAKEN},
        {REQUEST_PUBLISH, ERROR_NO_SUCH_LEASE},
        {REQUEST_PUBLISH, ERROR_LEASE_ENDED},
        {REQUEST_ATTACH_BLOCK, ERROR_NO_SUCH_BLOCK},
        {REQUEST_ATTACH_BLOCK, ERROR_BLOCK_ENDED},
        {REQUEST_UNPUBLISH, ERROR_NO_SUCH_BLOCK},
    };
    bool may = false;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        may = may || (pairs[i].asked == asked && pairs[i].code == code);
    }
    return may;
}

/* A reservation that was made since it was decided had nothing to do with it. */
static void check_grant(struct sharers *sharers, const struct sharer *sharer, uint64_t now)
{
    char class_name[16];
    (void)snprintf(class_name, sizeof class_name, "c%s", sharer->actor.name);
    bool has_class = atoi(sharer->actor.name) < WORLD_CLASSES; // NOLINT(cert-err34-c): the simulation's own number
    if (location_is_memory(sharer->writing_location) && now > sharers->reserved_at + LATE_MS * MS) {
        block_rules_check_grant(sharers->kind->broker(sharers->shell), has_class ? class_name : "default", now);
        sharers->rules.counts.grants_beside_reserves++;
    }
}

static void take_answer(struct sharers *sharers, struct sharer *sharer, const struct reply *reply, uint64_t now)
{
    if (reply->reply_to != sharer->actor.request) {
        return; /* of something that is not waited for */
    }
    cr_assert_leq(now, sharer->answer_by, "request %d is answered too late", (int)sharer->asked);
    sharer->actor.request = 0;
    think(sharer, now);
    if (reply->kind == REPLY_GRANT) {
        sharer->writing = reply->grant.lease;
        sharer->writing_location = reply->grant.location;
        check_grant(sharers, sharer, now);
    } else if (reply->kind == REPLY_ATTACHED) {
        take_attached(sharers, sharer, &reply->attached, now);
    } else if (reply->kind == REPLY_ERROR) {
        cr_assert(may_be_said(sharer->asked, reply->error.code), "%s", reply->error.sentence);
        cr_assert(reply->error.code != ERROR_NOT_SUPPORTED || !location_is_memory(sharer->writing_location));
        bool is_gone = reply->error.code == ERROR_NO_SUCH_LEASE || reply->error.code == ERROR_LEASE_ENDED;
        sharer->writing = is_gone ? 0 : sharer->writing;
    } else if (sharer->asked == REQUEST_PUBLISH) {
        take_published(sharers, sharer);
    }
}

static void lose_lease(struct sharer *sharer, uint64_t lease)
{
    sharer->writing = sharer->writing == lease && !sharer->actor.request ? 0 : sharer->writing;
    for (size_t i = 0; i < sharer->view_count; i++) {
        if (sharer->views[i].lease == lease) {
            sharer->views[i] = sharer->views[--sharer->view_count];
            return;
        }
    }
}

void sharers_take_reply(struct sharers *sharers, int number, const struct reply *reply, uint64_t now)
{
    struct sharer *sharer = &sharers->sharers[number - FIRST_SHARER];
    if (reply->is_answer) {
        take_answer(sharers, sharer, reply, now);
    } else if (reply->kind == EVENT_LEASE_ENDED) {
        lose_lease(sharer, reply->lease_ended.lease);
    }
}

/* ---- the course of it ---- */

void sharers_begin(struct sharers *sharers, const struct shell_kind *kind, struct shell *shell, uint64_t seed,
                   uint64_t now)
{
    *sharers = (struct sharers){.kind = kind, .shell = shell};
    for (int i = 0; i < SHARERS; i++) {
        struct sharer *sharer = &sharers->sharers[i];
        actor_init(&sharer->actor, kind, shell, FIRST_SHARER + i, i,
                   (seed * SHARERS + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15) + 11);
        begin_again(sharer, now);
    }
}

uint64_t sharers_next_action(const struct sharers *sharers)
{
    uint64_t next = UINT64_MAX;
    for (int i = 0; sharers->kind && i < SHARERS; i++) { /* they have begun */
        next = size_min(next, sharers->sharers[i].actor.next_at);
    }
    return next;
}

void sharers_check(struct sharers *sharers, uint64_t now)
{
    block_rules_look(&sharers->rules, sharers->kind->broker(sharers->shell), now);
    for (int i = 0; i < SHARERS; i++) {
        const struct sharer *sharer = &sharers->sharers[i];
        cr_assert(!sharer->actor.request || now <= sharer->answer_by, "request %d waits for too long",
                  (int)sharer->asked);
        for (size_t j = 0; j < sharer->view_count && !sharer->actor.is_away; j++) {
            block_rules_check_view(&sharers->rules, &sharer->views[j], sharer->actor.uid, now);
        }
    }
}

void sharers_lose_daemon(struct sharers *sharers, uint64_t now)
{
    block_rules_check_restart(&sharers->rules, sharers->kind->broker(sharers->shell), now);
    for (int i = 0; i < SHARERS; i++) {
        be_away(&sharers->sharers[i], now);
    }
}

/* The first sharers have a user each. */
void sharers_end(struct sharers *sharers, uint64_t now)
{
    for (int i = 0; i < SHARERS; i++) {
        sharers->kind->die(sharers->shell, FIRST_SHARER + i);
        forget(&sharers->sharers[i]);
        sharers->sharers[i].actor.next_at = UINT64_MAX;
    }
    for (int i = 0; i < SHARING_USERS; i++) {
        struct sharer *sharer = &sharers->sharers[i];
        begin_again(sharer, now);
        for (int name = 0; name < NAMES; name++) {
            struct request request = {.kind = REQUEST_UNPUBLISH};
            (void)snprintf(request.unpublish.name, sizeof request.unpublish.name, "n%d", name);
            actor_send(&sharer->actor, &request);
        }
        sharers->kind->die(sharers->shell, FIRST_SHARER + i);
        sharer->actor.next_at = UINT64_MAX;
    }
}
