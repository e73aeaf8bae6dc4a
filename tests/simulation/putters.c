/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/putters.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proto/base/size.h"
#include "tests/simulation/virtual_time.h"
#include "tests/simulation/world_config.h"

bool putters_exist;

static int index_of(const struct putters *putters, const struct putter *putter)
{
    return (int)(putter - putters->putters);
}

static void think(struct putter *putter, uint64_t now)
{
    actor_pause(&putter->actor, 1500, now);
}

static void name_of(int of, int number, char name[MESSAGE_NAME_SIZE])
{
    (void)snprintf(name, MESSAGE_NAME_SIZE, "o%d-%d", of, number);
}

/* ---- what there is ---- */

/* Its session has ended, or may have. */
static void lose_session(struct putter *putter, enum presence presence)
{
    for (int i = 0; i < PUTTER_OBJECTS; i++) {
        struct put_object *object = &putter->objects[i];
        if (object->presence != PRESENCE_NONE && object->lifetime == LIFETIME_SESSION) {
            object->presence = presence;
        }
    }
}

static void fill(const struct put_object *object, uint8_t data[MESSAGE_OBJECT_MAX])
{
    for (uint32_t i = 0; i < object->bytes; i++) {
        data[i] = (uint8_t)(object->value + i);
    }
}

static void check_got(const struct put_object *object, const struct message_bytes *data)
{
    static uint8_t expected[MESSAGE_OBJECT_MAX];
    cr_assert_neq(object->presence, PRESENCE_NONE, "an object is there that was removed, or never put");
    cr_assert_eq(data->count, object->bytes, "an object has %zu bytes, and not %u", data->count, object->bytes);
    fill(object, expected);
    cr_assert(!data->count || memcmp(data->data, expected, data->count) == 0, "an object is not what was put");
}

/* ---- asking: each answer comes at once ---- */

static void ask(struct putter *putter, struct request *request)
{
    putter->asked = request->kind;
    actor_ask(&putter->actor, request);
    cr_assert_eq(putter->actor.request, 0, "request %d about an object waits", (int)request->kind);
}

static uint32_t some_bytes(struct putter *putter)
{
    return (uint32_t)actor_below(&putter->actor, actor_below(&putter->actor, 4) ? 500 : MESSAGE_OBJECT_MAX + 1);
}

static void put(struct putters *putters, struct putter *putter)
{
    static uint8_t data[MESSAGE_OBJECT_MAX];
    struct request request = {.kind = REQUEST_PUT};
    putter->putting = (struct put_object){.lifetime = actor_below(&putter->actor, 2) ? LIFETIME_SESSION : LIFETIME_KEEP,
                                          .bytes = some_bytes(putter),
                                          .value = (uint8_t)actor_below(&putter->actor, 256)};
    putter->number = (int)actor_below(&putter->actor, PUTTER_OBJECTS);
    fill(&putter->putting, data);
    request.put.lifetime = putter->putting.lifetime;
    request.put.access = BLOCK_ACCESS_ALL;
    request.put.data = (struct message_bytes){data, putter->putting.bytes};
    name_of(index_of(putters, putter), putter->number, request.put.name);
    ask(putter, &request);
}

static void get(struct putters *putters, struct putter *putter)
{
    struct request request = {.kind = REQUEST_GET};
    putter->of = (int)actor_below(&putter->actor, PUTTERS);
    putter->number = (int)actor_below(&putter->actor, PUTTER_OBJECTS);
    request.get.has_owner = true;
    request.get.owner = putters->putters[putter->of].actor.uid;
    name_of(putter->of, putter->number, request.get.name);
    ask(putter, &request);
}

static void remove_one(struct putters *putters, struct putter *putter, int number)
{
    struct request request = {.kind = REQUEST_REMOVE};
    putter->number = number;
    name_of(index_of(putters, putter), number, request.remove.name);
    ask(putter, &request);
}

/* ---- coming and going ---- */

static void begin_again(struct putter *putter, uint64_t now)
{
    think(putter, now);
    actor_open(&putter->actor);
}

static void leave(struct putters *putters, struct putter *putter, uint64_t now)
{
    int number = putter->actor.number;
    if (actor_below(&putter->actor, 2)) {
        putters->kind->die(putters->shell, number);
        lose_session(putter, PRESENCE_NONE);
        begin_again(putter, now);
    } else {
        putters->kind->disconnect(putters->shell, number);
        lose_session(putter, PRESENCE_PERHAPS);
        actor_be_away(&putter->actor, now);
    }
}

static void come_back(struct putters *putters, struct putter *putter, uint64_t now)
{
    if (!putters->kind->resume(putters->shell, putter->actor.number)) {
        lose_session(putter, PRESENCE_NONE);
        begin_again(putter, now);
        return;
    }
    putter->actor.is_away = false;
    think(putter, now);
}

static void act(struct putters *putters, struct putter *putter, uint64_t now)
{
    uint64_t drawn = actor_below(&putter->actor, 100);
    think(putter, now);
    if (putter->actor.is_away) {
        come_back(putters, putter, now);
    } else if (drawn < 3) {
        leave(putters, putter, now);
    } else if (drawn < 40) {
        put(putters, putter);
    } else if (drawn < 85) {
        get(putters, putter);
    } else {
        remove_one(putters, putter, (int)actor_below(&putter->actor, PUTTER_OBJECTS));
    }
}

void putters_act(struct putters *putters, uint64_t now)
{
    for (int i = 0; putters_exist && i < PUTTERS; i++) {
        if (putters->putters[i].actor.next_at <= now) {
            act(putters, &putters->putters[i], now);
        }
    }
}

/* ---- hearing ---- */

static void take_put(struct putters *putters, struct putter *putter, const struct reply *reply)
{
    struct put_object *object = &putter->objects[putter->number];
    if (reply->kind == REPLY_DONE) {
        putters->counts.puts++;
        *object = putter->putting;
        object->presence = PRESENCE_THERE;
        return;
    }
    cr_assert(reply->error.code == ERROR_LIMIT || reply->error.code == ERROR_TOO_MANY, "%s", reply->error.sentence);
    putters->counts.refusals++;
}

static void take_got(struct putters *putters, struct putter *putter, const struct reply *reply)
{
    struct put_object *object = &putters->putters[putter->of].objects[putter->number];
    if (reply->kind == REPLY_GOT) {
        putters->counts.gets++;
        check_got(object, &reply->got.data);
        return;
    }
    cr_assert_eq(reply->error.code, ERROR_NO_SUCH_BLOCK, "%s", reply->error.sentence);
    cr_assert_neq(object->presence, PRESENCE_THERE, "%s", reply->error.sentence);
    putters->counts.absences++;
    object->presence = PRESENCE_NONE;
}

static void take_removed(struct putters *putters, struct putter *putter, const struct reply *reply)
{
    struct put_object *object = &putter->objects[putter->number];
    bool is_done = reply->kind == REPLY_DONE;
    cr_assert(is_done || reply->error.code == ERROR_NO_SUCH_BLOCK, "%s", reply->error.sentence);
    cr_assert_neq(object->presence, is_done ? PRESENCE_NONE : PRESENCE_THERE);
    putters->counts.removals += is_done;
    object->presence = PRESENCE_NONE;
}

void putters_take_reply(struct putters *putters, int number, const struct reply *reply)
{
    struct putter *putter = &putters->putters[number - FIRST_PUTTER];
    if (!reply->is_answer || reply->reply_to != putter->actor.request) {
        return;
    }
    putter->actor.request = 0;
    cr_assert(reply->kind == REPLY_DONE || reply->kind == REPLY_GOT || reply->kind == REPLY_ERROR);
    if (putter->asked == REQUEST_PUT) {
        take_put(putters, putter, reply);
    } else if (putter->asked == REQUEST_GET) {
        take_got(putters, putter, reply);
    } else {
        take_removed(putters, putter, reply);
    }
}

/* ---- the course of it ---- */

void putters_begin(struct putters *putters, const struct shell_kind *kind, struct shell *shell, uint64_t seed,
                   uint64_t now)
{
    *putters = (struct putters){.kind = kind, .shell = shell};
    for (int i = 0; putters_exist && i < PUTTERS; i++) {
        struct putter *putter = &putters->putters[i];
        actor_init(&putter->actor, kind, shell, FIRST_PUTTER + i, i,
                   (seed * PUTTERS + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15) + 17);
        begin_again(putter, now);
    }
}

uint64_t putters_next_action(const struct putters *putters)
{
    uint64_t next = UINT64_MAX;
    for (int i = 0; putters->kind && putters_exist && i < PUTTERS; i++) { /* they have begun */
        next = size_min(next, putters->putters[i].actor.next_at);
    }
    return next;
}

void putters_lose_daemon(struct putters *putters, uint64_t now)
{
    for (int i = 0; i < PUTTERS; i++) {
        struct putter *putter = &putters->putters[i];
        memset(putter->objects, 0, sizeof putter->objects);
        actor_be_away(&putter->actor, now);
    }
}

void putters_end(struct putters *putters, uint64_t now)
{
    for (int i = 0; putters_exist && i < PUTTERS; i++) {
        struct putter *putter = &putters->putters[i];
        if (putter->actor.is_away) {
            come_back(putters, putter, now);
        }
        for (int number = 0; number < PUTTER_OBJECTS; number++) {
            remove_one(putters, putter, number);
        }
        putters->kind->die(putters->shell, FIRST_PUTTER + i);
        putter->actor.next_at = UINT64_MAX;
    }
}
