/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/watch.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/sharing_limit.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* It is in no list. */
static void forget(struct watch *watch)
{
    TAILQ_REMOVE(&watch->session->watches, watch, in_session);
    watch->session->watch_count--;
    watch->session->share->user->watches--;
    free(watch);
}

static void end(struct broker *broker, struct watch *watch)
{
    watch_table_unlist(&broker->watches, watch);
    forget(watch);
}

/* ---- requests ---- */

static bool has_room(struct step *step, struct session *session, uint64_t request_id)
{
    return sharing_limit_check(step, session, LIMIT_KIND_WATCHES, request_id) &&
           sharing_limit_check(step, session, LIMIT_KIND_USER_WATCHES, request_id);
}

void watch_request(struct step *step, struct session *session, const struct request *request)
{
    struct watch_table *table = &step->broker->watches;
    const struct watch_blocks_request *asked = &request->watch_blocks;
    if (!request->id || !has_room(step, session, request->id)) { /* without an answer it means nothing */
        return;
    }
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch) {
        answer_out_of_tables(step, session->peer, request->id);
        return;
    }
    watch->number = ++table->next_number;
    watch->session = session;
    watch->request_id = request->id;
    watch->until = size_add_saturated(step->now, asked->wait_ms * NANOSECONDS_PER_MILLISECOND);
    watch->is_list = !asked->after;
    watch->after = watch->is_list ? table->changes.revision : asked->after;
    watch->owner = asked->has_owner ? asked->owner : session->identity.uid;
    watch->is_owners = block_admits(BLOCK_ACCESS_USER, watch->owner, 0, &session->identity);
    text_copy(watch->prefix, sizeof watch->prefix, asked->prefix);
    text_copy(watch->looked_at, sizeof watch->looked_at, asked->after_name);
    TAILQ_INSERT_TAIL(&table->fresh, watch, in_list);
    TAILQ_INSERT_TAIL(&session->watches, watch, in_session);
    session->watch_count++;
    session->share->user->watches++;
}

static struct watch *find(const struct session *session, uint64_t request_id)
{
    struct watch *watch;
    TAILQ_FOREACH(watch, &session->watches, in_session) {
        if (watch->request_id == request_id) {
            return watch;
        }
    }
    return NULL;
}

void watch_cancel(struct step *step, struct session *session, uint64_t request_id)
{
    struct watch *watch = find(session, request_id);
    if (watch) {
        answer_error(step, session->peer, request_id, ERROR_CANCELLED, "the request was cancelled");
        end(step->broker, watch);
    }
}

void watch_drop_session(struct broker *broker, struct session *session)
{
    struct watch *watch = TAILQ_FIRST(&session->watches), *next;
    for (; watch; watch = next) {
        next = TAILQ_NEXT(watch, in_session);
        end(broker, watch);
    }
}

/* ---- answers: what follows gets a watch that is in no list ---- */

/* The room for the next answer's changes. */
static struct block_change_entry *room(struct watch_table *table)
{
    return table->answers[table->answer_count];
}

static void answer(struct step *step, struct watch *watch, const struct block_changes_reply *changes)
{
    struct watch_table *table = &step->broker->watches;
    struct reply *reply = answer_to(step, watch->session->peer, watch->request_id, REPLY_BLOCK_CHANGES);
    reply->block_changes = *changes;
    reply->block_changes.changes = room(table);
    table->answer_count++;
    forget(watch);
}

/* The names that follow, a part of them in one step. True: the page is whole. */
static bool find_more(const struct block_table *blocks, struct watch *watch, bool *ret_more)
{
    const struct block *block = block_table_next_named(blocks, watch->owner, watch->prefix, watch->looked_at);
    for (int i = 0; i < WATCH_NAMES_AT_ONCE && block; i++) {
        if (block_admits(block->access, block->owner, block->gid, &watch->session->identity)) {
            if (watch->found_count == MESSAGE_CHANGES_MAX) {
                *ret_more = true;
                return true;
            }
            watch->found[watch->found_count++] = block->id;
        }
        text_copy(watch->looked_at, sizeof watch->looked_at, block->name);
        block = block_table_following(block, watch->prefix);
    }
    return !block;
}

/* Of the blocks that were found, those that have not ended since. */
static size_t list_found(const struct block_table *blocks, const struct watch *watch,
                         struct block_change_entry changes[MESSAGE_CHANGES_MAX])
{
    size_t count = 0;
    for (uint32_t i = 0; i < watch->found_count; i++) {
        const struct block *block = block_table_find(blocks, watch->found[i]);
        if (block && block->state == BLOCK_PUBLISHED) {
            changes[count++] = block_changes_entry(block, END_NONE);
        }
    }
    return count;
}

/* A page of the list, or a part of the names on the way to one. Where a page ends, and whether another one follows,
 * says nothing of names that this client may not know.
 */
static void serve_list(struct step *step, struct watch *watch)
{
    struct watch_table *table = &step->broker->watches;
    const struct block_table *blocks = &step->broker->blocks;
    struct block_changes_reply reply = {.revision = watch->after};
    bool is_whole = find_more(blocks, watch, &reply.more);
    if (is_whole) {
        reply.change_count = list_found(blocks, watch, room(table));
        watch->found_count = 0; /* a client can't ask for what follows an empty page */
    }
    if (is_whole && (reply.change_count || !reply.more)) {
        answer(step, watch, &reply);
    } else {
        TAILQ_INSERT_TAIL(&table->fresh, watch, in_list);
    }
}

static bool is_watched(const struct watch *watch, const struct remembered_change *change)
{
    return change->owner == watch->owner && text_begins(change->entry.name, watch->prefix) &&
           block_admits(change->access, change->owner, change->gid, &watch->session->identity);
}

static void wait(struct step *step, struct watch *watch)
{
    struct watch_table *table = &step->broker->watches;
    watch->after = table->changes.revision;
    if (!watch_table_park(table, watch)) {
        answer_out_of_tables(step, watch->session->peer, watch->request_id);
        forget(watch);
    }
}

static void serve_changes(struct step *step, struct watch *watch)
{
    struct watch_table *table = &step->broker->watches;
    const struct block_changes *known = &table->changes;
    struct block_change_entry *changes = room(table);
    struct block_changes_reply reply = {.revision = watch->after, .lost = !block_changes_reach(known, watch->after)};
    while (!reply.lost && reply.revision < known->revision && reply.change_count < MESSAGE_CHANGES_MAX) {
        const struct remembered_change *change = block_changes_get(known, ++reply.revision);
        if (is_watched(watch, change)) {
            changes[reply.change_count++] = change->entry;
        }
    }
    if (reply.change_count || reply.lost || watch->until <= step->now) {
        answer(step, watch, &reply);
    } else {
        wait(step, watch);
    }
}

static void serve(struct step *step, struct watch *watch)
{
    watch_table_unlist(&step->broker->watches, watch);
    if (watch->is_list) {
        serve_list(step, watch);
    } else {
        serve_changes(step, watch);
    }
}

/* ---- the end of a step ---- */

static struct watch *first_over(const struct watch_table *table, uint64_t now)
{
    struct watch *watch = watch_table_first_until(table);
    return watch && watch->until <= now ? watch : NULL;
}

/* Some of each kind, so that none holds the others up. */
void watch_work(struct step *step)
{
    struct watch_table *table = &step->broker->watches;
    struct watch *watch;
    table->answer_count = 0;
    for (int i = 0; i < WATCHES_PER_STEP && effect_room(step->effects) >= WATCH_KINDS; i++) {
        if ((watch = first_over(table, step->now))) {
            serve(step, watch);
        }
        if ((watch = TAILQ_FIRST(&table->fresh))) {
            serve(step, watch);
        }
        if ((watch = watch_table_first_ready(table))) {
            serve(step, watch);
        }
    }
}

uint64_t watch_next_wakeup(const struct broker *broker)
{
    const struct watch_table *table = &broker->watches;
    const struct watch *watch = watch_table_first_until(table);
    bool goes_on = !TAILQ_EMPTY(&table->fresh) || !TAILQ_EMPTY(&table->ready);
    return goes_on ? 0 : watch ? watch->until : UINT64_MAX;
}
