/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/watchers.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proto/base/size.h"
#include "proto/base/text.h"
#include "tests/simulation/virtual_time.h"
#include "tests/simulation/world_config.h"

enum {
    LATE_MS = 1000, /* a loop whose steps take time counts it as the daemon's own */
};

static void think(struct watcher *watcher, uint64_t now)
{
    actor_pause(&watcher->actor, actor_below(&watcher->actor, 8) ? 200 : 20000, now);
}

/* ---- what it knows ---- */

static struct watched *find(struct watcher *watcher, const char *name)
{
    for (size_t i = 0; i < watcher->known_count; i++) {
        if (strcmp(watcher->known[i].name, name) == 0) {
            return &watcher->known[i];
        }
    }
    return NULL;
}

static void learn(struct watcher *watcher, const struct block_change_entry *entry)
{
    cr_assert(text_begins(entry->name, watcher->prefix), "%s is told to who watches %s", entry->name, watcher->prefix);
    cr_assert(!find(watcher, entry->name), "%s is published, and has not ended", entry->name);
    cr_assert_lt(watcher->known_count, WATCHED_NAMES);
    struct watched *watched = &watcher->known[watcher->known_count++];
    text_copy(watched->name, sizeof watched->name, entry->name);
    watched->block = entry->block;
}

static void unlearn(struct watcher *watcher, const struct block_change_entry *entry)
{
    struct watched *watched = find(watcher, entry->name);
    cr_assert(watched && watched->block == entry->block, "%s, block %llu, ends, and was not told of", entry->name,
              (unsigned long long)entry->block);
    *watched = watcher->known[--watcher->known_count];
}

/* Whether the list has what the watcher may know, and no more. */
static bool is_up_to_date(const struct watchers *watchers, struct watcher *watcher)
{
    const struct block_rules *rules = watchers->rules;
    size_t there = 0;
    for (size_t i = 0; i < rules->count; i++) {
        const struct block_entry *entry = &rules->blocks[i].entry;
        bool is_visible = entry->access == BLOCK_ACCESS_ALL || entry->owner == watcher->actor.uid;
        if (!entry->ended && entry->owner == watcher->owner && is_visible &&
            text_begins(entry->name, watcher->prefix)) {
            const struct watched *watched = find(watcher, entry->name);
            if (!watched || watched->block != entry->block) {
                return false;
            }
            there++;
        }
    }
    return there == watcher->known_count;
}

/* ---- asking ---- */

static void ask(struct watcher *watcher, uint64_t now)
{
    uint32_t wait_ms = actor_below(&watcher->actor, 4) ? (uint32_t)(2000 + actor_below(&watcher->actor, 20000)) : 0;
    struct request request = {.kind = REQUEST_WATCH_BLOCKS,
                              .watch_blocks = {.has_owner = true, .owner = watcher->owner, .after = watcher->after}};
    request.watch_blocks.wait_ms = wait_ms;
    text_copy(request.watch_blocks.prefix, MESSAGE_NAME_SIZE, watcher->prefix);
    watcher->answer_by = now + (wait_ms + LATE_MS) * MS;
    watcher->is_cancelled = false;
    watcher->differs_since = 0;
    if (actor_below(&watcher->actor, 8)) {
        watcher->actor.next_at = UINT64_MAX;
    } else {
        actor_pause(&watcher->actor, 5000, now); /* to cancel or leave */
    }
    actor_ask(&watcher->actor, &request);
}

static void cancel(struct watcher *watcher)
{
    struct request request = {.kind = REQUEST_CANCEL, .cancel_request = watcher->actor.request};
    watcher->is_cancelled = true;
    watcher->actor.next_at = UINT64_MAX;
    actor_send(&watcher->actor, &request);
}

/* ---- coming and going ---- */

static void begin_again(struct watcher *watcher, uint64_t now)
{
    static const char prefixes[][8] = {"", "n", "n1", "n12"};
    watcher->owner = SHARERS_FIRST_UID + (uint32_t)actor_below(&watcher->actor, SHARING_USERS);
    text_copy(watcher->prefix, sizeof watcher->prefix,
              prefixes[actor_below(&watcher->actor, sizeof prefixes / sizeof *prefixes)]);
    watcher->after = watcher->known_count = 0;
    watcher->is_of_earlier_daemon = false;
    think(watcher, now);
    actor_open(&watcher->actor);
}

static void leave(struct watchers *watchers, struct watcher *watcher, uint64_t now)
{
    int number = watcher->actor.number;
    if (actor_below(&watcher->actor, 4) == 0) {
        watchers->kind->die(watchers->shell, number);
        begin_again(watcher, now);
    } else {
        watchers->kind->disconnect(watchers->shell, number);
        actor_be_away(&watcher->actor, now);
    }
}

static void come_back(struct watchers *watchers, struct watcher *watcher, uint64_t now)
{
    if (watchers->kind->resume(watchers->shell, watcher->actor.number)) {
        watcher->actor.is_away = false;
        think(watcher, now);
    } else {
        begin_again(watcher, now);
    }
}

void watchers_act(struct watchers *watchers, uint64_t now)
{
    for (int i = 0; i < WATCHERS; i++) {
        struct watcher *watcher = &watchers->watchers[i];
        if (watcher->actor.next_at > now) {
            continue;
        }
        if (watcher->actor.is_away) {
            come_back(watchers, watcher, now);
        } else if (actor_below(&watcher->actor, 12) == 0) {
            leave(watchers, watcher, now);
        } else if (watcher->actor.request) {
            cancel(watcher);
        } else {
            ask(watcher, now);
        }
    }
}

/* ---- hearing ---- */

static void take_list(struct watchers *watchers, struct watcher *watcher, const struct block_changes_reply *reply)
{
    cr_assert(!reply->lost && !reply->more);
    watchers->counts.lists++;
    watcher->known_count = 0;
    for (size_t i = 0; i < reply->change_count; i++) {
        cr_assert_eq(reply->changes[i].ended, END_NONE);
        learn(watcher, &reply->changes[i]);
    }
}

/* Each end of what it knows of comes, once, before the next block with that name. */
static void take_changes(struct watchers *watchers, struct watcher *watcher, const struct block_changes_reply *reply)
{
    cr_assert(!watcher->is_of_earlier_daemon, "what an earlier daemon counted is remembered");
    for (size_t i = 0; i < reply->change_count; i++) {
        const struct block_change_entry *change = &reply->changes[i];
        if (change->ended == END_NONE) {
            watchers->counts.publications++;
            learn(watcher, change);
        } else {
            watchers->counts.ends++;
            unlearn(watcher, change);
            block_rules_check_end(watchers->rules, change->block, change->ended);
        }
    }
}

static void take(struct watchers *watchers, struct watcher *watcher, const struct block_changes_reply *reply)
{
    if (reply->lost) {
        cr_assert(watcher->is_of_earlier_daemon && reply->change_count == 0, "what happened was forgotten too early");
        watchers->counts.lost++;
        watcher->is_of_earlier_daemon = false;
        watcher->after = 0;
        return;
    }
    if (watcher->after) {
        take_changes(watchers, watcher, reply);
    } else {
        take_list(watchers, watcher, reply);
    }
    watcher->after = reply->revision;
}

void watchers_take_reply(struct watchers *watchers, int number, const struct reply *reply, uint64_t now)
{
    struct watcher *watcher = &watchers->watchers[number - FIRST_WATCHER];
    if (!reply->is_answer || reply->reply_to != watcher->actor.request) {
        return;
    }
    cr_assert_leq(now, watcher->answer_by, "a watch is answered too late");
    watcher->actor.request = 0;
    think(watcher, now);
    if (reply->kind == REPLY_BLOCK_CHANGES) {
        take(watchers, watcher, &reply->block_changes);
    } else {
        cr_assert(reply->kind == REPLY_ERROR && reply->error.code == ERROR_CANCELLED && watcher->is_cancelled, "%s",
                  reply->kind == REPLY_ERROR ? reply->error.sentence : "no answer of a watch");
    }
}

/* ---- the course of it ---- */

void watchers_begin(struct watchers *watchers, const struct shell_kind *kind, struct shell *shell,
                    const struct block_rules *rules, uint64_t seed, uint64_t now)
{
    *watchers = (struct watchers){.kind = kind, .shell = shell, .rules = rules};
    for (int i = 0; i < WATCHERS; i++) {
        struct watcher *watcher = &watchers->watchers[i];
        actor_init(&watcher->actor, kind, shell, FIRST_WATCHER + i, i,
                   (seed * WATCHERS + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15) + 13);
        begin_again(watcher, now);
    }
}

uint64_t watchers_next_action(const struct watchers *watchers)
{
    uint64_t next = UINT64_MAX;
    for (int i = 0; watchers->kind && i < WATCHERS; i++) { /* they have begun */
        next = size_min(next, watchers->watchers[i].actor.next_at);
    }
    return next;
}

/* Nothing is left to be told to who waits; a loop may still have the answer. */
void watchers_check(struct watchers *watchers, uint64_t now)
{
    for (int i = 0; i < WATCHERS; i++) {
        struct watcher *watcher = &watchers->watchers[i];
        bool differs = watcher->actor.request && watcher->after && !watcher->is_of_earlier_daemon &&
                       !is_up_to_date(watchers, watcher);
        watcher->differs_since = !differs ? 0 : watcher->differs_since ? watcher->differs_since : now;
        cr_assert(!differs || now <= watcher->differs_since + LATE_MS * MS,
                  "a watcher that waits does not know the names of user %u with %s", watcher->owner, watcher->prefix);
        cr_assert(!watcher->actor.request || now <= watcher->answer_by, "a watch waits for too long");
    }
}

void watchers_lose_daemon(struct watchers *watchers, uint64_t now)
{
    for (int i = 0; i < WATCHERS; i++) {
        struct watcher *watcher = &watchers->watchers[i];
        watcher->is_of_earlier_daemon = watcher->after != 0;
        actor_be_away(&watcher->actor, now);
    }
}

void watchers_end(struct watchers *watchers)
{
    for (int i = 0; i < WATCHERS; i++) {
        watchers->kind->die(watchers->shell, FIRST_WATCHER + i);
        watchers->watchers[i].actor.request = 0;
        watchers->watchers[i].actor.next_at = UINT64_MAX;
    }
}
