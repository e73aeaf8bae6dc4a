/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl events */
#include "client/ctl/events.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/options.h"
#include "client/ctl/users.h"
#include "proto/base/limit_kind.h"
#include "proto/base/location.h"
#include "proto/base/size.h"

static struct event_window window;
static bool is_followed;
static const char *wanted_kind; /* a pattern; NULL: every kind */

/* ---- options ---- */

static int take_kind(struct ctl_options *options, const char *value)
{
    (void)options;
    wanted_kind = value;
    return CTL_DONE;
}

static int take_follow(struct ctl_options *options, const char *value)
{
    (void)options;
    (void)value;
    is_followed = true;
    return CTL_DONE;
}

static const struct ctl_option list[] = {
    {"since", '\0', "TIME", "only what happened since then", event_window_take_since},
    {"until", '\0', "TIME", "only what happened until then", event_window_take_until},
    {"kind", '\0', "PATTERN", "only what the column EVENT names so: refused, revoked, expired, re*", take_kind},
    {"follow", '\0', NULL, "continue with what happens, and print each event as a line", take_follow},
    SELECTION_OPTIONS,
};

const struct ctl_option_list events_options = {list, sizeof list / sizeof *list};

/* ---- words ---- */

static const char *kind_name(const void *entry, char cell[CELL_BYTES])
{
    static const char *const names[EVENT_KINDS] = {
        "other",     "granted",  "extended",          "refused",    "ended",        "reserved",  "attached",
        "suspended", "resumed",  "unreserved",        "unreserved", "started",      "restarted", "handed-over",
        "stopped",   "reloaded", "bad-configuration", "away",       "disconnected", "published", "block-ended"};
    enum event_kind of = ((const struct event_entry *)entry)->kind;
    (void)cell;
    return names[of < EVENT_KINDS ? of : EVENT_KIND_UNSPECIFIED];
}

static const char *const reasons[END_REASONS] = {
    "",         "released", "expired",     "revoked",  "died",   "disconnected",
    "shutdown", "tampered", "unpublished", "replaced", "evicted"};

const char *event_reason_word(enum end_reason reason)
{
    return reason < END_REASONS ? reasons[reason] : "other";
}

static const char *reason_name(const void *entry, char cell[CELL_BYTES])
{
    const struct event_entry *event = entry;
    bool has_reason = event->kind == EVENT_KIND_ENDED || event->kind == EVENT_KIND_BLOCK_ENDED;
    (void)cell;
    if (event->kind == EVENT_KIND_RESERVATION_EXPIRED) {
        return reasons[END_EXPIRED];
    }
    return has_reason ? event_reason_word(event->reason) : "";
}

/* People are told how a lease ended, in one word. */
static const char *what(const void *entry, char cell[CELL_BYTES])
{
    const struct event_entry *event = entry;
    return event->kind == EVENT_KIND_ENDED ? reason_name(entry, cell) : kind_name(entry, cell);
}

static const char *const codes[] = {
    "other",
    "malformed",
    "oversized",
    "unknown-request",
    "protocol-version",
    "not-greeted",
    "invalid",
    "limit",
    "host-memory",
    "disk-full",
    "no-such-lease",
    "lease-ended",
    "no-such-session",
    "not-permitted",
    "not-supported",
    "too-many",
    "system",
    "shutting-down",
    "monitor",
    "replaced",
    "busy",
    "cancelled",
    "still-writable",
    "name-taken",
    "no-such-block",
    "block-ended",
    "no-such-reservation",
};
_Static_assert(sizeof codes / sizeof *codes == ERROR_CODES, "each code has a name");

static const char *code_name(const void *entry, char cell[CELL_BYTES])
{
    const struct event_entry *event = entry;
    (void)cell;
    if (event->kind != EVENT_KIND_REFUSED) {
        return "";
    }
    return codes[event->code < ERROR_CODES ? event->code : ERROR_UNSPECIFIED];
}

static const char *limit_name(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return limit_kind_name(((const struct event_entry *)entry)->limit_kind);
}

static const char *time_text(const void *entry, char cell[CELL_BYTES])
{
    return event_time_to_text(((const struct event_entry *)entry)->at_unix_ms, cell);
}

static const char *location(const void *entry, char cell[CELL_BYTES])
{
    const struct event_entry *event = entry;
    (void)cell;
    return location_holds_bytes(event->location) ? location_name(event->location) : "";
}

static bool uid(const void *entry, uint64_t *ret)
{
    *ret = ((const struct event_entry *)entry)->uid;
    return ((const struct event_entry *)entry)->has_uid;
}

static const char *user_of(const void *entry, char cell[CELL_BYTES])
{
    const struct event_entry *event = entry;
    (void)cell;
    return event->has_uid ? user_name(event->uid) : "";
}

/* Nothing for one, as most are. */
static const char *times(const void *entry, char cell[CELL_BYTES])
{
    uint64_t count = ((const struct event_entry *)entry)->count;
    cell[0] = '\0';
    if (count > 1) {
        (void)snprintf(cell, CELL_BYTES, "%llu", (unsigned long long)count);
    }
    return cell;
}

static bool bytes(const void *entry, uint64_t *ret)
{
    *ret = ((const struct event_entry *)entry)->bytes;
    return *ret != 0;
}

/* What was refused by max_leases, max_blocks and the like is no bytes. */
static bool is_number(const struct event_entry *event)
{
    return !limit_kind_is_in_bytes(event->limit_kind);
}

/* The limits of [sharing] have figures always, and may be 0; of others a broker may tell the name alone. */
static bool has_figures(const struct event_entry *event)
{
    return event->limit_bytes || limit_kind_is_of_sharing(event->limit_kind);
}

static bool limit_bytes(const void *entry, uint64_t *ret)
{
    *ret = ((const struct event_entry *)entry)->limit_bytes;
    return has_figures(entry);
}

static bool used_bytes(const void *entry, uint64_t *ret)
{
    const struct event_entry *event = entry;
    *ret = event->used_bytes;
    return *ret || limit_kind_is_of_sharing(event->limit_kind);
}

static const char *size(const void *entry, char cell[CELL_BYTES])
{
    uint64_t number;
    return bytes(entry, &number) && !is_number(entry) ? size_to_text(number, cell) : "";
}

/* Of the numbers of an event. */
static const char *unit(const void *entry, char cell[CELL_BYTES])
{
    const struct event_entry *event = entry;
    (void)cell;
    return event->bytes || has_figures(event) ? limit_kind_unit(event->limit_kind) : "";
}

/* ---- why, and by whom ---- */

static const char *revoker(const struct event_entry *event)
{
    static char text[3 * CELL_BYTES];
    char user[USER_TEXT_BYTES], asked[SIZE_TEXT_BYTES];
    if (!event->has_by) {
        (void)snprintf(text, sizeof text, "the reservation %s was given up", event->by_name);
    } else if (event->by_bytes) {
        (void)snprintf(text, sizeof text, "for %s (%s), who asks for %s", *event->by_name ? event->by_name : "unnamed",
                       user_to_text(event->by_uid, user), size_to_text(event->by_bytes, asked));
    } else {
        (void)snprintf(text, sizeof text, "by %s%s%s%s", event->by_name, *event->by_name ? " (" : "",
                       user_to_text(event->by_uid, user), *event->by_name ? ")" : "");
    }
    return text;
}

/* The broker's words, and at whose request. */
static const char *end_of_block(const struct event_entry *event)
{
    static char text[MESSAGE_TEXT_SIZE + CELL_BYTES];
    char user[USER_TEXT_BYTES];
    if (!event->has_by) {
        return event->text;
    }
    (void)snprintf(text, sizeof text, "%s, by %s", event->text, user_to_text(event->by_uid, user));
    return text;
}

static const char *exceeded(const struct event_entry *event)
{
    static char text[3 * CELL_BYTES];
    char used[SIZE_TEXT_BYTES], of[SIZE_TEXT_BYTES];
    if (!has_figures(event)) {
        (void)snprintf(text, sizeof text, "%s of %s", limit_kind_name(event->limit_kind), event->whose);
    } else if (is_number(event)) {
        (void)snprintf(text, sizeof text, "%s of %s: %llu of %llu %s used", limit_kind_name(event->limit_kind),
                       event->whose, (unsigned long long)event->used_bytes, (unsigned long long)event->limit_bytes,
                       limit_kind_unit(event->limit_kind));
    } else {
        (void)snprintf(text, sizeof text, "%s of %s: %s of %s used", limit_kind_name(event->limit_kind), event->whose,
                       size_to_text(event->used_bytes, used), size_to_text(event->limit_bytes, of));
    }
    return text;
}

static const char *detail(const void *entry, char cell[CELL_BYTES])
{
    const struct event_entry *event = entry;
    (void)cell;
    if (event->kind == EVENT_KIND_ENDED && event->reason == END_REVOKED) {
        return revoker(event);
    }
    if (event->kind == EVENT_KIND_BLOCK_ENDED) {
        return end_of_block(event);
    }
    return event->kind == EVENT_KIND_REFUSED && event->limit_kind ? exceeded(event) : event->text;
}

#define FIELD(name) COLUMN_FIELD(struct event_entry, name)

static const char *by_user(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct event_entry *)entry)->by_uid);
}

static json_t *by(const void *entry)
{
    static const struct column fields[] = {
        {NULL, "uid", COLUMN_NUMBER, FIELD(by_uid)},
        {NULL, "user", COLUMN_WORDS, .words = by_user},
        {NULL, "pid", COLUMN_NUMBER_OR_NONE, FIELD(by_pid)},
        {NULL, "session", COLUMN_NUMBER_OR_NONE, FIELD(by_session)},
        {NULL, "client", COLUMN_TEXT, FIELD(by_name)},
        {NULL, "wanted_bytes", COLUMN_NUMBER_OR_NONE, FIELD(by_bytes)},
    };
    return ((const struct event_entry *)entry)->has_by ? columns_to_json(fields, COLUMNS_COUNT(fields), entry)
                                                       : json_null();
}

/* The reservation that was given up, and took the lease with it. */
static const char *by_reservation(const void *entry, char cell[CELL_BYTES])
{
    const struct event_entry *event = entry;
    (void)cell;
    return event->has_by ? "" : event->by_name;
}

/* ---- columns ---- */

static const struct column columns[] = {
    {NULL, "event", COLUMN_NUMBER, FIELD(event)},
    {"TIME", NULL, COLUMN_WORDS, .words = time_text},
    {NULL, "at_unix_ms", COLUMN_NUMBER, FIELD(at_unix_ms)},
    {NULL, "last_unix_ms", COLUMN_NUMBER, FIELD(last_unix_ms)},
    {"EVENT", NULL, COLUMN_WORDS, .words = what},
    {NULL, "kind", COLUMN_WORDS, .words = kind_name},
    {NULL, "reason", COLUMN_WORDS, .words = reason_name},
    {"TIMES", NULL, COLUMN_WORDS, .right = true, .words = times},
    {NULL, "count", COLUMN_NUMBER, FIELD(count)},
    {"BYTES", NULL, COLUMN_WORDS, .right = true, .words = size},
    {NULL, "bytes", COLUMN_COUNTED, .number = bytes},
    {NULL, "unit", COLUMN_WORDS, .words = unit},
    {"IN", "location", COLUMN_WORDS, .words = location},
    {"UID", "uid", COLUMN_COUNTED, .number = uid},
    {"USER", "user", COLUMN_WORDS, .words = user_of, .is_user_name = true},
    {"PID", "pid", COLUMN_NUMBER_OR_NONE, FIELD(pid)},
    {"CLIENT", "client", COLUMN_TEXT, FIELD(client)},
    {NULL, "class", COLUMN_TEXT, FIELD(class)},
    {NULL, "session", COLUMN_NUMBER_OR_NONE, FIELD(session)},
    {"LEASE", "lease", COLUMN_NUMBER_OR_NONE, FIELD(lease)},
    {"NAME", "name", COLUMN_TEXT, FIELD(name)},
    {NULL, "code", COLUMN_WORDS, .words = code_name},
    {NULL, "limit", COLUMN_WORDS, .words = limit_name},
    {NULL, "whose", COLUMN_TEXT, FIELD(whose)},
    {NULL, "limit_bytes", COLUMN_COUNTED, .number = limit_bytes},
    {NULL, "used_bytes", COLUMN_COUNTED, .number = used_bytes},
    {NULL, "by", COLUMN_JSON, .json = by},
    {NULL, "by_reservation", COLUMN_WORDS, .words = by_reservation},
    {"DETAIL", NULL, COLUMN_WORDS, .words = detail},
    {NULL, "text", COLUMN_TEXT, FIELD(text)},
};

static const void *entry_of(const struct listing_reply *page, size_t index)
{
    return index < page->event_count ? &page->events[index] : NULL;
}

static void facts_of(const void *entry, struct row_facts *ret)
{
    const struct event_entry *event = entry;
    bool is_reservation = event->kind >= EVENT_KIND_RESERVED && event->kind <= EVENT_KIND_RESERVATION_EXPIRED;
    *ret = (struct row_facts){.has_user = event->has_uid,
                              .uid = event->uid,
                              .class = is_reservation ? event->name : event->class,
                              .client = event->client,
                              .bytes = is_number(event) ? 0 : event->bytes};
}

static bool wants(const void *entry)
{
    const struct event_entry *event = entry;
    char cell[CELL_BYTES];
    bool is_kind = !wanted_kind || fnmatch(wanted_kind, what(entry, cell), 0) == 0;
    return is_kind && event->last_unix_ms >= window.since && event->at_unix_ms <= window.until;
}

const struct listing_kind events_listing = {.what = LIST_EVENTS,
                                            .name = "events",
                                            .none =
                                                "nothing has happened, or the broker keeps no history: see [history] "
                                                "in membroker.conf(5)",
                                            .columns = columns,
                                            .column_count = COLUMNS_COUNT(columns),
                                            .entry = entry_of,
                                            .facts = facts_of,
                                            .wants = wants};

/* That a broker started is an event, so if there is none at all, it keeps none. */
static int check_history(const struct ctl_options *options)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_EVENTS, .most = 1}};
    const struct reply *reply;
    int result = ctl_ask(options, &request, &reply);
    bool has_any = result != CTL_DONE || reply->listing.event_count || reply->listing.more || reply->listing.last;
    if (!has_any && !options->json) {
        (void)fprintf(stderr,
                      "membrokerctl: the broker has no events: see [history] in membroker.conf(5), with bytes = 0 "
                      "it keeps none\n");
    }
    return result;
}

static int follow(const struct ctl_options *options)
{
    if (window.until <= event_time_now()) {
        return ctl_usage(
            "--follow goes on from now, and --until lies in the past; without --follow, what happened until "
            "then is listed");
    }
    window.since = window.since ? window.since : event_time_now();
    int result = check_history(options);
    return result == CTL_DONE ? events_follow(options, &events_listing, window.until) : result;
}

int events_main(const struct ctl_options *options, int argc, char **argv)
{
    if (event_window_said(&window) != CTL_DONE) {
        return CTL_USAGE;
    }
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    if (is_followed) {
        return follow(options);
    }
    int result = listing_main(&events_listing, options, argc, argv);
    return result == CTL_DONE && !isatty(STDOUT_FILENO) ? check_history(options) : result;
}
