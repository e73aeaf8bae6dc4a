/* SPDX-License-Identifier: Apache-2.0 */
/* Events from what the core and the log say. */
#include "daemon/runtime/history.h"

#include <string.h>
#include <time.h>

#include "daemon/core/access.h"
#include "daemon/runtime/log.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

enum { NOBODY = UINT32_MAX, TOGETHER_MS = 1000 };

static uint64_t now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void history_open(struct history *history, uint64_t bytes, struct handed_descriptors *handed)
{
    /* begins with the time: where nothing is left, numbers are still greater than those of the daemon before */
    int result = history_memory_open(&history->memory, bytes, now_ms(), handed);
    history->ring = history->memory.ring;
    if (result < 0) {
        log_warning("%s: %s",
                    history->ring ? "the history would not outlive a restart" : "there is no history ([history] bytes)",
                    strerrordesc_np(-result));
    }
}

void history_close(struct history *history)
{
    history_memory_close(&history->memory);
    history->ring = NULL;
}

/* ---- adding ---- */

static struct event_mark add(struct history *history, uint32_t owner, struct event_entry *event)
{
    event->at_unix_ms = event->last_unix_ms = now_ms();
    event->count = 1;
    return event_ring_add(history->ring, owner, event);
}

/* One that is too long ends with three dots. */
static void copy_sentence(struct event_entry *event, const char *sentence)
{
    static const char dots[] = "...";
    text_copy(event->text, sizeof event->text, sentence);
    if (strlen(sentence) >= sizeof event->text) {
        event->text[sizeof event->text - sizeof dots] = '\0';
        text_end_whole(event->text);
        memcpy(event->text + strlen(event->text), dots, sizeof dots);
    }
}

static void describe(struct event_entry *event, const struct history_who *who)
{
    event->has_uid = true;
    event->uid = who->identity->uid;
    event->pid = who->identity->pid;
    event->session = who->session;
    text_copy(event->client, sizeof event->client, who->client);
    text_copy(event->class, sizeof event->class, who->class);
}

/* The event that the next one of the same may still be counted with; NULL: none. The clock may have been set back. */
static struct event_entry *open_event(struct history *history, struct event_mark mark, uint64_t now)
{
    struct event_entry *event = event_ring_at(history->ring, mark);
    return event && now - event->at_unix_ms < TOGETHER_MS ? event : NULL;
}

static void count(struct event_entry *event, uint64_t bytes, uint64_t now)
{
    event->last_unix_ms = now;
    event->bytes += bytes;
    event->count++;
}

/* ---- grants and refusals ---- */

static struct event_mark *mark_of(struct history_marks *marks, const struct grant_reply *grant)
{
    return grant->extents > 1 ? &marks->extended : &marks->granted;
}

bool history_granted_again(struct history *history, struct history_marks *marks, const struct grant_reply *grant)
{
    if (!history->ring) {
        return true;
    }
    uint64_t now = now_ms();
    struct event_entry *event = open_event(history, *mark_of(marks, grant), now);
    if (!event || event->location != grant->location) {
        return false;
    }
    count(event, grant->bytes, now);
    return true;
}

void history_granted(struct history *history, const struct history_who *who, const struct grant_reply *grant)
{
    struct event_entry event = {.kind = grant->extents > 1 ? EVENT_KIND_EXTENDED : EVENT_KIND_GRANTED,
                                .bytes = grant->bytes,
                                .lease = grant->lease,
                                .location = grant->location};
    describe(&event, who);
    *mark_of(who->marks, grant) = add(history, identity_charged(who->identity), &event);
}

static bool is_same_refusal(const struct event_entry *event, const struct error_reply *error)
{
    return event->code == error->code && event->limit_kind == error->refusal.limit_kind &&
           strcmp(event->whose, error->refusal.whose) == 0;
}

/* All that is not free: of a limit on reservations nothing but reserves are taken. */
static uint64_t taken(const struct refusal *refusal)
{
    return size_add_saturated(refusal->used_bytes, size_add_saturated(refusal->reserved_bytes, refusal->claimed_bytes));
}

void history_refused(struct history *history, const struct history_who *who, const struct error_reply *error)
{
    uint64_t now = now_ms();
    const struct refusal *refusal = &error->refusal;
    struct event_entry *open = history->ring ? open_event(history, who->marks->refused, now) : NULL;
    if (!history->ring) {
        return;
    }
    if (open && is_same_refusal(open, error)) {
        count(open, refusal->asked_bytes, now);
        return;
    }
    struct event_entry event = {.kind = EVENT_KIND_REFUSED,
                                .bytes = refusal->asked_bytes,
                                .code = error->code,
                                .limit_kind = refusal->limit_kind,
                                .limit_bytes = refusal->limit_bytes,
                                .used_bytes = taken(refusal)};
    describe(&event, who);
    text_copy(event.whose, sizeof event.whose, refusal->whose);
    copy_sentence(&event, error->sentence);
    who->marks->refused = add(history, identity_charged(who->identity), &event);
}

/* ---- endings ---- */

/* What a client wants itself, or its own end brings, is told together. */
static bool may_be_together(enum end_reason reason)
{
    return reason != END_EXPIRED && reason != END_REVOKED && reason != END_TAMPERED;
}

static void name_cause(struct event_entry *event, const struct effect_cause *cause)
{
    event->has_by = !cause->is_reservation;
    event->by_uid = cause->uid;
    event->by_pid = cause->pid;
    event->by_session = cause->session;
    event->by_bytes = cause->is_request ? cause->bytes : 0;
    text_copy(event->by_name, sizeof event->by_name, cause->client);
}

void history_ended(struct history *history, const struct history_who *who, const struct effect_ended *ended)
{
    uint64_t now = now_ms();
    bool is_together = may_be_together(ended->reason);
    struct event_entry *open = history->ring && is_together ? open_event(history, who->marks->ended, now) : NULL;
    if (!history->ring) {
        return;
    }
    if (open && open->reason == ended->reason && open->location == ended->location) {
        count(open, ended->bytes, now);
        return;
    }
    struct event_entry event = {.kind = EVENT_KIND_ENDED,
                                .bytes = ended->bytes,
                                .lease = ended->lease,
                                .location = ended->location,
                                .reason = ended->reason};
    describe(&event, who);
    text_copy(event.name, sizeof event.name, ended->name);
    if (ended->reason == END_REVOKED) {
        name_cause(&event, &ended->cause);
    }
    struct event_mark mark = add(history, identity_charged(who->identity), &event);
    who->marks->ended = is_together ? mark : who->marks->ended;
}

/* ---- blocks ---- */

/* Each by itself: their names are what is looked for. */
void history_block(struct history *history, const struct effect_block *block)
{
    static const char *const lifetimes[] = {[LIFETIME_SESSION] = "with lifetime session",
                                            [LIFETIME_KEEP] = "with lifetime keep",
                                            [LIFETIME_CACHE] = "with lifetime cache"};
    bool has_ended = block->change == BLOCK_CHANGE_ENDED;
    struct event_entry event = {.kind = has_ended ? EVENT_KIND_BLOCK_ENDED : EVENT_KIND_PUBLISHED,
                                .bytes = block->bytes,
                                .location = block->location,
                                .reason = block->reason,
                                .session = block->session,
                                .pid = block->pid,
                                .has_uid = true,
                                .uid = block->owner,
                                .has_by = block->has_by,
                                .by_pid = block->by_pid,
                                .by_uid = block->by_uid};
    if (history->ring) {
        text_copy(event.client, sizeof event.client, block->client);
        text_copy(event.class, sizeof event.class, block->class);
        text_copy(event.name, sizeof event.name, block->name);
        copy_sentence(&event, has_ended ? end_reason_text_of_block(block->reason) : lifetimes[block->lifetime]);
        (void)add(history, block->charged_uid, &event);
    }
}

/* ---- reservations and the daemon itself ---- */

void history_reservations(struct history *history, const struct effect_reservations *reservations)
{
    static const enum event_kind kinds[] = {
        [RESERVATION_MADE] = EVENT_KIND_RESERVED,       [RESERVATION_EXTENDED] = EVENT_KIND_ATTACHED,
        [RESERVATION_SUSPENDED] = EVENT_KIND_SUSPENDED, [RESERVATION_RESUMED] = EVENT_KIND_RESUMED,
        [RESERVATION_GIVEN_UP] = EVENT_KIND_UNRESERVED, [RESERVATION_EXPIRED] = EVENT_KIND_RESERVATION_EXPIRED};
    bool has_uid = reservations->change != RESERVATION_EXPIRED;
    struct event_entry event = {.kind = kinds[reservations->change],
                                .bytes = reservations->bytes,
                                .has_uid = has_uid,
                                .uid = reservations->uid,
                                .pid = reservations->pid};
    if (history->ring && reservations->change != RESERVATION_FORGOTTEN) {
        text_copy(event.name, sizeof event.name, reservations->name);
        (void)add(history, has_uid ? event.uid : (uint32_t)NOBODY, &event);
    }
}

void history_logged(void *of, const struct log_about *about, const char *message)
{
    static const enum event_kind kinds[LOG_EVENTS] = {[LOG_EVENT_CLIENT_CUT_OFF] = EVENT_KIND_DISCONNECTED,
                                                      [LOG_EVENT_RESTARTED] = EVENT_KIND_RESTARTED,
                                                      [LOG_EVENT_AWAY] = EVENT_KIND_AWAY,
                                                      [LOG_EVENT_RELOADED] = EVENT_KIND_RELOADED,
                                                      [LOG_EVENT_BAD_CONFIGURATION] = EVENT_KIND_BAD_CONFIGURATION,
                                                      [LOG_EVENT_READY] = EVENT_KIND_STARTED,
                                                      [LOG_EVENT_ENDED] = EVENT_KIND_STOPPED,
                                                      [LOG_EVENT_HANDED_OVER] = EVENT_KIND_HANDED_OVER};
    struct history *history = of;
    struct event_entry event = {
        .kind = kinds[about->event], .has_uid = about->has_uid, .uid = about->uid, .session = about->session};
    if (history->ring && event.kind) { /* the others come with more than their words */
        copy_sentence(&event, message);
        (void)add(history, about->has_uid ? about->uid : (uint32_t)NOBODY, &event);
    }
}

void history_sample(struct history *history, struct sample_entry *samples, size_t count)
{
    uint64_t now = now_ms();
    for (size_t i = 0; history->ring && i < count; i++) {
        samples[i].at_unix_ms = now;
        sample_ring_add(&history->memory.samples, &samples[i]);
    }
}

/* ---- listing ---- */

static bool is_of_reservation(enum event_kind kind)
{
    return kind >= EVENT_KIND_RESERVED && kind <= EVENT_KIND_RESERVATION_EXPIRED;
}

static bool sees_reservations(const struct history_viewer *viewer)
{
    return access_may_see_all(viewer->access, viewer->daemon_uid, viewer->identity) ||
           access_may_reserve(viewer->access, viewer->daemon_uid, viewer->identity);
}

static bool is_shown(const struct history_viewer *viewer, const struct event_entry *event)
{
    if (event->has_uid) {
        return access_may_see(viewer->access, viewer->daemon_uid, viewer->identity, event->uid);
    }
    return !is_of_reservation(event->kind) || sees_reservations(viewer);
}

static void show(const struct history_viewer *viewer, const struct event_entry *event, struct event_entry *ret)
{
    *ret = *event;
    if (ret->has_by && !access_may_see(viewer->access, viewer->daemon_uid, viewer->identity, ret->by_uid)) {
        ret->by_session = 0;
        ret->by_pid = 0;
        text_copy(ret->by_name, sizeof ret->by_name, HIDDEN_NAME);
    }
}

static bool may_grow(const struct event_entry *event, uint64_t now)
{
    bool is_counted = event->kind == EVENT_KIND_GRANTED || event->kind == EVENT_KIND_EXTENDED ||
                      event->kind == EVENT_KIND_REFUSED ||
                      (event->kind == EVENT_KIND_ENDED && may_be_together(event->reason));
    return is_counted && now - event->at_unix_ms < TOGETHER_MS;
}

/* Looks at no more than a bounded number of them, whoever they are of. */
void history_list(const struct history *history, const struct history_viewer *viewer, const struct list_request *list,
                  struct event_entry *entries, struct listing_reply *ret)
{
    enum { LOOKS = 512 };
    uint64_t now = now_ms(), most = list->most ? size_min(list->most, MESSAGE_EVENTS_MAX) : MESSAGE_EVENTS_MAX;
    ret->events = entries;
    ret->last = list->after;
    if (!history->ring) {
        return;
    }
    uint32_t place = event_ring_find(history->ring, list->after);
    for (int looks = 0; event_ring_has(history->ring, place); place++, looks++) {
        const struct event_entry *event = event_ring_look(history->ring, place);
        if (event && list->settled && may_grow(event, now)) {
            return;
        }
        ret->more = looks == LOOKS || ret->event_count == most;
        if (ret->more) {
            return;
        }
        if (event && is_shown(viewer, event)) {
            show(viewer, event, &entries[ret->event_count++]);
        }
        ret->last = event_ring_number(history->ring, place);
    }
}

/* Looks at no more than a page of them has room for. */
void history_list_samples(const struct history *history, const struct history_viewer *viewer,
                          const struct list_request *list, struct sample_entry *entries, struct listing_reply *ret)
{
    const struct sample_entry *sample = NULL;
    bool sees_all = sees_reservations(viewer);
    const int most = list->most ? (int)size_min(list->most, MESSAGE_SAMPLES_MAX) : MESSAGE_SAMPLES_MAX;
    ret->samples = entries;
    ret->last = list->after;
    for (int looks = 0; history->ring && (sample = sample_ring_next(&history->memory.samples, ret->last)); looks++) {
        ret->more = looks == most;
        if (ret->more) {
            return;
        }
        if (sees_all || !sample->is_reservation) {
            entries[ret->sample_count++] = *sample;
        }
        ret->last = sample->sample;
    }
}
