/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saying no: a sentence with the limit, what was asked, used and free, and who holds the most; and a word to
 * the largest holders that somebody needs what they don't use.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

#define TRIM_INTERVAL NANOSECONDS_PER_SECOND

static bool outranks(const struct session *a, const struct session *b, enum ledger_limit limit)
{
    return !b || account_used(&a->account, limit) > account_used(&b->account, limit);
}

/* Files the session among the largest, most first. */
static void rank(const struct session *session, enum ledger_limit limit, const struct session *largest[])
{
    for (size_t i = 0; i < MESSAGE_HOLDERS_MAX; i++) {
        if (outranks(session, largest[i], limit)) {
            memmove(&largest[i + 1], &largest[i], (MESSAGE_HOLDERS_MAX - 1 - i) * sizeof(const struct session *));
            largest[i] = session;
            return;
        }
    }
}

static size_t find_holders(const struct broker *broker, enum ledger_limit limit, const struct session *largest[])
{
    const struct session *session;
    size_t count = 0;
    for (uint64_t at = 0; (session = session_table_next(&broker->sessions, at)); at = session->id) {
        if (account_used(&session->account, limit)) {
            rank(session, limit, largest);
        }
    }
    TAILQ_FOREACH(session, &broker->sessions.over, in_over) {
        if (account_used(&session->account, limit)) {
            rank(session, limit, largest);
        }
    }
    while (count < MESSAGE_HOLDERS_MAX && largest[count]) {
        count++;
    }
    return count;
}

static void fill_holder(const struct session *session, enum ledger_limit limit, struct holder *holder)
{
    *holder = (struct holder){
        .session = session->id,
        .pid = session->identity.pid,
        .uid = session->identity.uid,
        .bytes = account_used(&session->account, limit),
    };
    memcpy(holder->name, session->name, sizeof holder->name);
}

/* Appends as printf does; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) static void append(char *sentence, const char *format, ...)
{
    size_t used = strlen(sentence);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence + used, MESSAGE_SENTENCE_SIZE - used, format, arguments);
    va_end(arguments);
}

static void append_holders(char *sentence, const struct refusal *refusal)
{
    char bytes[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < refusal->holder_count; i++) {
        const struct holder *holder = &refusal->holders[i];
        append(sentence, "%s %s (pid %d, uid %u) %s",
               i ? "," : " Largest holders:", holder->name[0] ? holder->name : "unnamed", holder->pid, holder->uid,
               size_to_text(holder->bytes, bytes));
    }
    if (refusal->holder_count) {
        append(sentence, ".");
    }
}

static void write_sentence(struct error_reply *error, const struct denial *denial)
{
    const struct refusal *refusal = &error->refusal;
    char asked[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES], used[SIZE_TEXT_BYTES], free_text[SIZE_TEXT_BYTES];
    bool ram = denial->location == LOCATION_RAM;
    size_to_text(refusal->asked_bytes, asked);
    size_to_text(refusal->limit_bytes, limit);
    size_to_text(refusal->used_bytes, used);
    size_to_text(refusal->free_bytes, free_text);
    error->sentence[0] = '\0';
    if (denial->code == ERROR_HOST_MEMORY) {
        append(error->sentence,
               "%s of RAM were asked for, but the host has only %s available now, of which %s are promised to recent "
               "grants: %s are free (%llu bytes).",
               asked, limit, used, free_text, (unsigned long long)refusal->free_bytes);
    } else {
        append(error->sentence,
               "%s of %s were asked for, and the %s's %s is %s, of which %s are used: %s are free (%llu bytes).", asked,
               ram ? "RAM" : "mapped files", refusal->whose, refusal->limit, limit, used, free_text,
               (unsigned long long)refusal->free_bytes);
    }
    append_holders(error->sentence, refusal);
    append(error->sentence, " Ask for less%s, release leases, or raise %s.",
           ram && denial->excess.limit != LEDGER_MAX_BYTES ? ", use location MMAP or AUTO" : "",
           denial->code == ERROR_HOST_MEMORY ? "the host's memory" : refusal->limit);
}

static void fill_refusal(const struct denial *denial, struct refusal *refusal)
{
    const struct ledger_excess *excess = &denial->excess;
    bool host_memory = denial->code == ERROR_HOST_MEMORY;
    *refusal = (struct refusal){
        .limit_bytes = excess->limit_bytes,
        .asked_bytes = excess->asked_bytes,
        .used_bytes = excess->used_bytes,
        .free_bytes = size_subtract_floored(excess->limit_bytes, excess->used_bytes),
    };
    (void)snprintf(refusal->limit, sizeof refusal->limit, "%s",
                   host_memory ? "available_memory" : ledger_limit_name(excess->limit));
    (void)snprintf(refusal->whose, sizeof refusal->whose, "%s", excess->account->whose);
}

static void ask_to_trim(struct step *step, struct session *session, const struct denial *denial)
{
    bool asked_lately = session->trimmed_at && step->now - session->trimmed_at < TRIM_INTERVAL;
    if (session->state != SESSION_CONNECTED || asked_lately) {
        return;
    }
    session->trimmed_at = step->now;
    tell(step, session->peer, EVENT_TRIM)->trim = (struct trim_event){
        .wanted_bytes = denial->excess.asked_bytes -
                        size_min(denial->excess.asked_bytes,
                                 size_subtract_floored(denial->excess.limit_bytes, denial->excess.used_bytes)),
        .location = denial->location,
    };
}

void refuse(struct step *step, const struct session *session, uint64_t request_id, const struct denial *denial)
{
    const struct session *largest[MESSAGE_HOLDERS_MAX + 1] = {0};
    enum ledger_limit counted = denial->code == ERROR_HOST_MEMORY ? LEDGER_MAX_PHYSICAL_BYTES : denial->excess.limit;
    bool own = denial->excess.account == &session->account;
    size_t holders = own ? 0 : find_holders(step->broker, counted, largest);
    if (own && account_used(&session->account, counted)) {
        largest[holders++] = session;
    }
    step->broker->counters.refused++;
    struct reply *reply = answer(step, session->peer, request_id, REPLY_ERROR);
    if (reply) {
        struct error_reply *error = &reply->error;
        error->code = denial->code;
        error->system_errno = 0;
        fill_refusal(denial, &error->refusal);
        for (size_t i = 0; i < holders; i++) {
            fill_holder(largest[i], counted, &error->refusal.holders[error->refusal.holder_count++]);
        }
        write_sentence(error, denial);
    }
    for (size_t i = 0; i < holders && !own; i++) {
        struct session *holder = session_table_find(&step->broker->sessions, largest[i]->id);
        if (holder && holder != session) {
            ask_to_trim(step, holder, denial);
        }
    }
}
