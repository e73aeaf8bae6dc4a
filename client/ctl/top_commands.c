/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/users.h"
#include "client/ctl/why.h"
#include "proto/base/end_reason.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

__attribute__((format(printf, 2, 3))) static void say(struct view *view, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(view->message, sizeof view->message, format, arguments);
    va_end(arguments);
    text_end_whole(view->message);
}

/* ---- revoking ---- */

static void ask_about_lease(struct view *view, const struct lease_entry *lease)
{
    char bytes[SIZE_TEXT_BYTES], user[USER_TEXT_BYTES];
    say(view, "revoke lease %llu (%s) of %s, %s", (unsigned long long)lease->lease, size_to_text(lease->bytes, bytes),
        *lease->client ? lease->client : "an unnamed client", user_to_text(lease->uid, user));
}

static void ask_about_session(struct view *view, const struct session_entry *session)
{
    char user[USER_TEXT_BYTES];
    say(view, "revoke %llu lease%s of session %llu, %s, %s", (unsigned long long)session->leases,
        session->leases == 1 ? "" : "s", (unsigned long long)session->session,
        *session->name ? session->name : "an unnamed client", user_to_text(session->uid, user));
}

/* False: its name has ended, and only its views keep it. */
static bool ask_about_block(struct view *view, const struct block_entry *block)
{
    char bytes[SIZE_TEXT_BYTES], user[USER_TEXT_BYTES];
    bool has_name = block->ended == END_NONE;
    if (has_name) {
        say(view, "unpublish block %s (%s, %u view%s) of %s", block->name, size_to_text(block->bytes, bytes),
            block->views, text_plural(block->views), user_to_text(block->owner, user));
    } else {
        say(view, "block %s: %s; it goes with its last view", block->name, end_reason_text_of_block(block->ended));
    }
    return has_name;
}

void command_ask_revoke(const struct command *command)
{
    struct view *view = command->view;
    if (!command->chosen) {
        return;
    }
    if (view->page == PAGE_BLOCKS) {
        if (!ask_about_block(view, (const void *)command->chosen->entry)) {
            return;
        }
    } else if (view->page == PAGE_LEASES) {
        ask_about_lease(view, (const void *)command->chosen->entry);
    } else {
        ask_about_session(view, (const void *)command->chosen->entry);
    }
    view->target = command->chosen->number;
    view->mode = VIEW_CONFIRM;
}

static int revoke_lease(const struct command *command, uint64_t lease)
{
    struct request request = {.kind = REQUEST_REVOKE, .revoke_lease = lease};
    const struct reply *reply;
    int result = source_ask(command->source, &request, &reply);
    if (result < 0) {
        say(command->view, "%s", command->source->sentence);
    }
    return result;
}

/* The leases that the session has now: the rows may be older. */
static int revoke_session(const struct command *command, uint64_t session, uint64_t now_ms, size_t *ret_count)
{
    const struct rows *rows = &command->model->tables[TABLE_LEASES];
    int result = model_read_all(command->model, source_ask, command->source, TABLE_LEASES, now_ms);
    *ret_count = 0;
    if (result < 0) {
        say(command->view, "%s", command->source->sentence);
    }
    for (size_t i = 0; result == 0 && i < rows->count; i++) {
        const struct lease_entry *lease = (const void *)rows->rows[i]->entry;
        if (lease->session == session) {
            result = revoke_lease(command, lease->lease);
            *ret_count += result == 0;
        }
    }
    return result;
}

/* The broker takes a name, which may lead to another block since the question. */
static void unpublish(const struct command *command, uint64_t number)
{
    const struct row *row = rows_find(&command->model->tables[TABLE_BLOCKS], number);
    const struct block_entry *block = row ? (const void *)row->entry : NULL;
    struct request request = {.kind = REQUEST_UNPUBLISH};
    const struct reply *reply;
    if (!block || block->ended != END_NONE) {
        say(command->view, "block %llu has ended meanwhile", (unsigned long long)number);
        return;
    }
    request.unpublish.has_owner = true;
    request.unpublish.owner = block->owner;
    text_copy(request.unpublish.name, sizeof request.unpublish.name, block->name);
    if (source_ask(command->source, &request, &reply) < 0) {
        say(command->view, "%s", command->source->sentence);
    } else {
        say(command->view, "block %s is unpublished", block->name);
    }
}

void command_revoke(const struct command *command, uint64_t now_ms)
{
    struct view *view = command->view;
    size_t count;
    if (view->page == PAGE_BLOCKS) {
        unpublish(command, view->target);
    } else if (view->page == PAGE_LEASES) {
        if (revoke_lease(command, view->target) == 0) {
            say(view, "lease %llu is revoked", (unsigned long long)view->target);
        }
    } else if (revoke_session(command, view->target, now_ms, &count) == 0) {
        say(view, "%zu lease%s of session %llu %s revoked", count, text_plural(count), (unsigned long long)view->target,
            count == 1 ? "is" : "are");
    }
}

/* ---- why ---- */

/* 0: the row belongs to no session, or to one that the user may not see. */
static uint64_t session_of(const struct command *command)
{
    const void *entry = command->chosen ? command->chosen->entry : NULL;
    if (!entry) {
        return 0;
    }
    switch (command->view->page) {
    case PAGE_SESSIONS:
        return ((const struct session_entry *)entry)->session;
    case PAGE_LEASES:
        return ((const struct lease_entry *)entry)->session;
    case PAGE_QUEUE:
        return ((const struct queue_entry *)entry)->session;
    case PAGE_BLOCKS:
        return ((const struct block_entry *)entry)->publisher;
    case PAGE_USERS:
    case PAGE_CLASSES:
    case PAGES:
        break;
    }
    return 0;
}

static char *text_of(const struct why_reply *why, uint64_t session)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    if (file) {
        why_write(file, why, session);
        (void)fclose(file);
    }
    return text;
}

void command_why(const struct command *command)
{
    struct request request = {.kind = REQUEST_WHY, .why_session = session_of(command)};
    const struct reply *reply;
    if (source_ask(command->source, &request, &reply) < 0) {
        say(command->view, "%s", command->source->sentence);
    } else if (reply->kind == REPLY_WHY) {
        view_show_text(command->view, text_of(&reply->why, request.why_session));
    }
}

/* ---- help ---- */

static const char help[] = "1 to 6, Tab       users, classes and reservations, sessions, leases, the queue,\n"
                           "                  published blocks\n"
                           "up, down, PgUp, PgDn, Home, End\n"
                           "                  choose a row\n"
                           "< >, left, right  order by the column before, by the next one\n"
                           "r                 turn the order round\n"
                           "/                 show only rows that have a text in a column; Esc shows all\n"
                           "k                 revoke the lease, or all leases of the session; asks first\n"
                           "                  on the page of blocks: unpublish the block\n"
                           "w                 why the requests of the row's session wait or were refused\n"
                           "q                 quit\n"
                           "\n"
                           "A bar shows a limit: what is leased, what the pool holds, what is being freed,\n"
                           "and what is reserved and not in use. HISTORY has ten seconds in each column:\n"
                           "what an account or a session holds, how much of a lease is used, the place of a\n"
                           "request, the views of a block.\n";

void command_help(struct view *view)
{
    view_show_text(view, strdup(help));
}
