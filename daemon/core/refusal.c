/* SPDX-License-Identifier: Apache-2.0 */
/* Saying no: a sentence with the limit, what was asked, used and free, and who holds the most. */
#include "daemon/core/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/ahead.h"
#include "daemon/core/answer.h"
#include "daemon/core/holders.h"
#include "daemon/core/visibility.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* Appends as printf does; what does not fit is cut between two characters. */
__attribute__((format(printf, 2, 3))) static void append(char *sentence, const char *format, ...)
{
    size_t used = strlen(sentence);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence + used, MESSAGE_SENTENCE_SIZE - used, format, arguments);
    text_end_whole(sentence + used);
    va_end(arguments);
}

/* "a (pid 7, uid 0)", or "another user's (uid 7)". */
static void append_principal(char *sentence, const struct holder *principal)
{
    if (principal->session) {
        append(sentence, " %s (pid %d, uid %u)", principal->name[0] ? principal->name : "unnamed", principal->pid,
               principal->uid);
    } else {
        append(sentence, " %s (uid %u)", principal->name, principal->uid);
    }
}

/* "block "weights" of uid 1000 (2 views)", or "a block of uid 7 (ended, 1 view)". */
static void append_block(char *sentence, const struct holder *block)
{
    append(sentence, block->name[0] ? " block \"%s\"" : " a block", block->name);
    append(sentence, " of uid %u (%s%u view%s)", block->uid, block->has_ended ? "ended, " : "", block->views,
           block->views == 1 ? "" : "s");
}

static void append_holders(char *sentence, const struct refusal *refusal)
{
    char bytes[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < refusal->holder_count; i++) {
        const struct holder *holder = &refusal->holders[i];
        append(sentence, i ? "," : " Largest holders:");
        if (holder->block) {
            append_block(sentence, holder);
        } else {
            append_principal(sentence, holder);
        }
        append(sentence, " %s", size_to_text(holder->bytes, bytes));
    }
    if (refusal->holder_count) {
        append(sentence, ".");
    }
}

static void append_ahead(char *sentence, const struct refusal *refusal, bool are_leases)
{
    char bytes[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < refusal->ahead_count; i++) {
        append(sentence, i ? "," : " Requests that wait ahead:");
        append_principal(sentence, &refusal->ahead[i]);
        if (!are_leases) {
            append(sentence, " %s", size_to_text(refusal->ahead[i].bytes, bytes));
        }
    }
    if (refusal->ahead_count) {
        append(sentence, ".");
    }
}

/* What of the limit is the pool's, held back or claimed. */
static void append_claimed(char *sentence, const struct refusal *refusal)
{
    char pool[SIZE_TEXT_BYTES];
    if (refusal->pool_bytes) {
        append(sentence, " (%s of that by the broker's pool, which could not give it up yet)",
               size_to_text(refusal->pool_bytes, pool));
    }
    char reserved[SIZE_TEXT_BYTES], claimed[SIZE_TEXT_BYTES];
    if (refusal->reserved_bytes) {
        append(sentence, ", %s reserved for others", size_to_text(refusal->reserved_bytes, reserved));
    }
    if (refusal->claimed_bytes) {
        append(sentence, ", %s claimed by requests that wait", size_to_text(refusal->claimed_bytes, claimed));
    }
}

/* The exact number follows only if the text before has rounded it or has another unit. */
static void append_free(char *sentence, uint64_t bytes)
{
    char text[SIZE_TEXT_BYTES];
    append(sentence, ": %s are free", size_to_text(bytes, text));
    if (bytes >= 1024) {
        append(sentence, " (%llu bytes)", (unsigned long long)bytes);
    }
}

/* A member hears of its reservation first, if something else refuses. */
static void append_asked(char *sentence, const struct share *share, const struct denial *denial)
{
    const struct account *reserved = &share->class->account;
    enum ledger_limit limit = ledger_limit_of(denial->location);
    char asked[SIZE_TEXT_BYTES], left[SIZE_TEXT_BYTES], all[SIZE_TEXT_BYTES];
    append(sentence, "%s of %s were asked for", size_to_text(denial->excess.asked_bytes, asked),
           location_contents(denial->location));
    if (share->class->quota.is_reservation && denial->excess.account != reserved) {
        uint64_t most = account_limit(reserved, limit);
        size_to_text(size_subtract_floored(most, account_used(reserved, limit)), left);
        append(sentence, " in %s, which has %s of its %s left", share->class->whose, left, size_to_text(most, all));
    }
}

static void write_figures(char *sentence, const struct share *share, const struct denial *denial,
                          const struct refusal *refusal)
{
    char limit[SIZE_TEXT_BYTES], used[SIZE_TEXT_BYTES];
    size_to_text(refusal->limit_bytes, limit);
    size_to_text(refusal->used_bytes, used);
    append_asked(sentence, share, denial);
    if (denial->is_paused) {
        append(sentence, ", but the machine is under memory pressure and grants of RAM are paused until it ends "
                         "([pressure] pause_ram_at)");
    } else if (denial->code == ERROR_HOST_MEMORY) {
        append(sentence, ", but the host has only %s available now, of which %s are promised to recent grants", limit,
               used);
        append_claimed(sentence, refusal);
        append_free(sentence, refusal->free_bytes);
    } else {
        append(sentence, ", and the %s's %s is %s, of which %s are used", refusal->whose, refusal->limit, limit, used);
        append_claimed(sentence, refusal);
        append_free(sentence, refusal->free_bytes);
    }
    append(sentence, ".");
}

/* Counts of leases, where the other sentences have bytes. */
static void write_lease_sentence(char *sentence, const struct denial *denial, const struct refusal *refusal,
                                 uint64_t waited_ns)
{
    if (denial->full->quota.is_reservation) { /* a living one has no such limit */
        append(sentence, "%s was given up: processes that are left in its control groups get no memory.",
               denial->full->whose);
        return;
    }
    append(sentence, "%s has %llu lease%s", denial->full->whose, (unsigned long long)refusal->used_bytes,
           refusal->used_bytes == 1 ? "" : "s");
    if (refusal->claimed_bytes) {
        append(sentence, ", %llu request%s for one before this one", (unsigned long long)refusal->claimed_bytes,
               refusal->claimed_bytes == 1 ? " waits" : "s wait");
    }
    append(sentence, ", and its max_leases is %llu.", (unsigned long long)refusal->limit_bytes);
    append_ahead(sentence, refusal, true);
    if (refusal->limit_bytes == 0) {
        append(sentence, " Raise that.");
        return;
    }
    append(sentence, " Release some, extend one%s, or raise that.", waited_ns ? "" : ", let the request wait");
}

static bool names_blocks(const struct refusal *refusal)
{
    bool has_block = false;
    for (size_t i = 0; i < refusal->holder_count; i++) {
        has_block = has_block || refusal->holders[i].block;
    }
    return has_block;
}

/* What would make the request fit, if anything does. */
static const char *way_to_release(const struct refusal *refusal, bool fits_ever)
{
    if (!fits_ever) {
        return "";
    }
    return names_blocks(refusal) ? ", release leases, unpublish blocks (membrokerctl unpublish NAME)"
                                 : ", release leases";
}

static void write_sentence(struct error_reply *error, const struct share *share, const struct denial *denial,
                           uint64_t waited_ns)
{
    const struct refusal *refusal = &error->refusal;
    char waited[SIZE_TEXT_BYTES];
    bool ram = location_is_memory(denial->location);
    error->sentence[0] = '\0';
    if (waited_ns) {
        append(error->sentence, "It waited for %s. ",
               duration_to_text(waited_ns / NANOSECONDS_PER_MILLISECOND, waited));
    }
    if (denial->full) {
        write_lease_sentence(error->sentence, denial, refusal, waited_ns);
        return;
    }
    write_figures(error->sentence, share, denial, refusal);
    append_holders(error->sentence, refusal);
    append_ahead(error->sentence, refusal, false);
    bool fits_ever = denial->excess.fits_ever, fits_elsewhere = ram && denial->excess.limit != LEDGER_MAX_BYTES;
    bool is_reservation = denial->excess.account->is_told_first;
    append(error->sentence, " Ask for less%s%s%s%s or %s%s.", fits_elsewhere ? ", use location MMAP or AUTO" : "",
           !waited_ns && fits_ever ? ", let the request wait" : "", way_to_release(refusal, fits_ever),
           fits_ever || fits_elsewhere ? "," : "", is_reservation ? "reserve more" : "raise ",
           is_reservation                      ? ""
           : denial->code == ERROR_HOST_MEMORY ? "the host's memory"
                                               : refusal->limit);
}

void refusal_remember(struct step *step, struct session *session, const struct wish *wish, enum location location)
{
    step->broker->counters.refused++;
    step->broker->figures.refused[session->last_refusal.limit_kind]++;
    session->refused_location = location;
    session->refused_wish = *wish;
    session_note_refusal(&step->broker->sessions, session, step->now);
}

/* It is remembered with all names: which of them a viewer may see is decided when the viewer asks. */
void refusal_note(struct step *step, struct session *session, const struct wish *wish, const struct denial *denial)
{
    denial_figures(denial, &session->last_refusal);
    holders_fill(step->broker, &step->holders, denial, &session->last_refusal);
    ahead_fill(step->broker, denial, &session->last_refusal);
    refusal_remember(step, session, wish, denial->location);
}

void refusal_answer(struct step *step, struct session *session, const struct demand *demand,
                    const struct denial *denial, uint64_t waited_ns)
{
    const struct wish wish = {.bytes = demand->bytes, .location = demand->location, .takes_lease = demand->takes_lease};
    refusal_note(step, session, &wish, denial);
    struct reply *reply = answer_to(step, session->peer, demand->request_id, REPLY_ERROR);
    if (!reply) {
        return;
    }
    struct error_reply *error = &reply->error;
    error->code = denial->code;
    error->system_errno = 0;
    error->comes_free = false;
    error->refusal = session->last_refusal;
    visibility_hide(step->broker, &session->identity, &error->refusal);
    write_sentence(error, session->share, denial, waited_ns);
}
