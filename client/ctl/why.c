/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl why */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/column.h"
#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "client/ctl/text.h"
#include "client/ctl/users.h"
#include "client/ctl/why.h"
#include "proto/base/location.h"
#include "proto/base/size.h"

/* ---- JSON ---- */

/* A holder that the user may not see has no session. */
static const char *holder_name(const void *entry, char cell[CELL_BYTES])
{
    const struct holder *holder = entry;
    (void)cell;
    return holder->session ? holder->name : "";
}

static const char *holder_block_name(const void *entry, char cell[CELL_BYTES])
{
    const struct holder *holder = entry;
    (void)cell;
    return holder->block ? holder->name : "";
}

static bool holder_views(const void *entry, uint64_t *ret)
{
    const struct holder *holder = entry;
    *ret = holder->views;
    return holder->block;
}

static const char *holder_user(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct holder *)entry)->uid);
}

static json_t *holders_json(const struct holder *holders, size_t count)
{
    static const struct column fields[] = {
        {NULL, "session", COLUMN_NUMBER_OR_NONE, COLUMN_FIELD(struct holder, session)},
        {NULL, "client", COLUMN_WORDS, .words = holder_name},
        {NULL, "pid", COLUMN_NUMBER_OR_NONE, COLUMN_FIELD(struct holder, pid)},
        {NULL, "uid", COLUMN_NUMBER, COLUMN_FIELD(struct holder, uid)},
        {NULL, "user", COLUMN_WORDS, .words = holder_user},
        {NULL, "bytes", COLUMN_NUMBER, COLUMN_FIELD(struct holder, bytes)},
        {NULL, "block", COLUMN_NUMBER_OR_NONE, COLUMN_FIELD(struct holder, block)},
        {NULL, "block_name", COLUMN_WORDS, .words = holder_block_name},
        {NULL, "views", COLUMN_COUNTED, .number = holder_views},
    };
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, columns_to_json(fields, COLUMNS_COUNT(fields), &holders[i]));
    }
    return array;
}

static json_t *holders(const void *entry)
{
    const struct refusal *refusal = &((const struct why_entry *)entry)->refusal;
    return holders_json(refusal->holders, refusal->holder_count);
}

static json_t *ahead(const void *entry)
{
    const struct refusal *refusal = &((const struct why_entry *)entry)->refusal;
    return holders_json(refusal->ahead, refusal->ahead_count);
}

/* Nothing for what is in no place, such as one more block. */
static const char *location(const void *entry, char cell[CELL_BYTES])
{
    enum location location = ((const struct why_entry *)entry)->location;
    (void)cell;
    return location == LOCATION_UNSPECIFIED ? "" : location_name(location);
}

/* Of the figures. */
static const char *unit(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return limit_kind_unit(((const struct why_entry *)entry)->refusal.limit_kind);
}

static bool free_of_limit(const void *entry, uint64_t *ret)
{
    const struct refusal *refusal = &((const struct why_entry *)entry)->refusal;
    *ret = refusal->free_bytes;
    return refusal->limit_bytes != LIMIT_OFF;
}

static const char *user_of(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct why_entry *)entry)->uid);
}

#define FIELD(name) COLUMN_FIELD(struct why_entry, name)

static const struct column fields[] = {
    {NULL, "session", COLUMN_NUMBER, FIELD(session)},
    {NULL, "client", COLUMN_TEXT, FIELD(name)},
    {NULL, "pid", COLUMN_NUMBER, FIELD(pid)},
    {NULL, "uid", COLUMN_NUMBER, FIELD(uid)},
    {NULL, "user", COLUMN_WORDS, .words = user_of},
    {NULL, "waits", COLUMN_FLAG, FIELD(waits)},
    {NULL, "session_over", COLUMN_FLAG, FIELD(is_over)},
    {NULL, "place", COLUMN_NUMBER_OR_NONE, FIELD(place)},
    {NULL, "since_ms", COLUMN_NUMBER, FIELD(since_ms)},
    {NULL, "location", COLUMN_WORDS, .words = location},
    {NULL, "either", COLUMN_FLAG, FIELD(either)},
    {NULL, "earliest_ms", COLUMN_LIMIT, FIELD(earliest_ms)},
    {NULL, "limit", COLUMN_TEXT, FIELD(refusal.limit)},
    {NULL, "whose", COLUMN_TEXT, FIELD(refusal.whose)},
    {NULL, "unit", COLUMN_WORDS, .words = unit},
    {NULL, "allowed", COLUMN_LIMIT, FIELD(refusal.limit_bytes)},
    {NULL, "asked", COLUMN_NUMBER, FIELD(refusal.asked_bytes)},
    {NULL, "used", COLUMN_NUMBER, FIELD(refusal.used_bytes)},
    {NULL, "free", COLUMN_COUNTED, .number = free_of_limit},
    {NULL, "reserved", COLUMN_NUMBER, FIELD(refusal.reserved_bytes)},
    {NULL, "claimed", COLUMN_NUMBER, FIELD(refusal.claimed_bytes)},
    {NULL, "pooled", COLUMN_NUMBER, FIELD(refusal.pool_bytes)},
    {NULL, "holders", COLUMN_JSON, .json = holders},
    {NULL, "ahead", COLUMN_JSON, .json = ahead},
};

/* ---- text ---- */

/* max_leases, max_blocks and the like: the figures are numbers. */
static void print_number(FILE *file, const struct refusal *refusal)
{
    static const char *const one[LIMIT_KINDS] = {
        [LIMIT_KIND_LEASES] = "a lease",    [LIMIT_KIND_BLOCKS] = "a block",  [LIMIT_KIND_VIEWS] = "a view",
        [LIMIT_KIND_OBJECTS] = "an object", [LIMIT_KIND_WATCHES] = "a watch", [LIMIT_KIND_USER_WATCHES] = "a watch"};
    (void)fprintf(file, "  asked for %s; ", one[refusal->limit_kind]);
    text_print(file, refusal->whose);
    if (refusal->limit_bytes == LIMIT_OFF) {
        (void)fprintf(file, " has no %s any more\n", refusal->limit);
        return;
    }
    (void)fprintf(file, "'s %s is %llu, %llu of them used", refusal->limit, (unsigned long long)refusal->limit_bytes,
                  (unsigned long long)refusal->used_bytes);
    if (refusal->claimed_bytes) {
        (void)fprintf(file, ", %llu claimed by requests before it", (unsigned long long)refusal->claimed_bytes);
    }
    (void)fprintf(file, ": %llu free\n", (unsigned long long)refusal->free_bytes);
}

static void print_bytes(FILE *file, const struct refusal *refusal)
{
    char limit[SIZE_TEXT_BYTES], used[SIZE_TEXT_BYTES], free_text[SIZE_TEXT_BYTES], other[SIZE_TEXT_BYTES];
    text_print(file, refusal->whose);
    (void)fprintf(file, "'s %s is %s, %s of it used", refusal->limit, size_to_text(refusal->limit_bytes, limit),
                  size_to_text(refusal->used_bytes, used));
    if (refusal->pool_bytes) {
        (void)fprintf(file, " (%s of that by the warm pool)", size_to_text(refusal->pool_bytes, other));
    }
    if (refusal->reserved_bytes) {
        (void)fprintf(file, ", %s reserved for others", size_to_text(refusal->reserved_bytes, other));
    }
    if (refusal->claimed_bytes) {
        (void)fprintf(file, ", %s claimed by requests before it", size_to_text(refusal->claimed_bytes, other));
    }
    (void)fprintf(file, ": %s free\n", size_to_text(refusal->free_bytes, free_text));
}

/* An object that finds no room in the parts of its board asks for a whole part more. */
static void print_board(FILE *file, const struct refusal *refusal)
{
    char asked[SIZE_TEXT_BYTES];
    (void)fprintf(file, "  asked for %s, the next part of a board; ", size_to_text(refusal->asked_bytes, asked));
    print_bytes(file, refusal);
    (void)fprintf(file, "  that is not the size of the object; the figures leave out what is free within the parts\n");
}

static void print_limit(FILE *file, const struct why_entry *entry)
{
    char asked[SIZE_TEXT_BYTES];
    if (!limit_kind_is_in_bytes(entry->refusal.limit_kind)) {
        print_number(file, &entry->refusal);
        return;
    }
    if (entry->refusal.limit_kind == LIMIT_KIND_BOARD_BYTES) {
        print_board(file, &entry->refusal);
        return;
    }
    (void)fprintf(file, "  asked for %s in %s", size_to_text(entry->refusal.asked_bytes, asked),
                  location_place(entry->location));
    FOR_EACH_LOCATION(other)
    {
        if (entry->either && other != entry->location) {
            (void)fprintf(file, ", or %s", location_place(other));
        }
    }
    (void)fprintf(file, "; ");
    if (entry->refusal.limit_kind == LIMIT_KIND_PAUSED) {
        (void)fprintf(file, "no RAM %s granted %s\n", entry->is_over ? "was" : "is", entry->is_over ? "then" : "now");
    } else {
        print_bytes(file, &entry->refusal);
    }
}

/* Nobody knows when clients give up what they have: only how they do it. */
static void print_way(FILE *file, const struct refusal *refusal)
{
    static const char *const ways[LIMIT_KINDS] = {
        [LIMIT_KIND_LEASES] = "release leases or close views (membrokerctl leases lists them)",
        [LIMIT_KIND_BLOCKS] = "unpublish blocks (membrokerctl blocks lists them)",
        [LIMIT_KIND_VIEWS] = "close views (BLOCK in membrokerctl leases)",
        [LIMIT_KIND_OBJECTS] = "remove objects (membrokerctl boards counts them)",
        [LIMIT_KIND_BOARD_BYTES] = "remove objects (membrokerctl boards counts them)",
        [LIMIT_KIND_WATCHES] = "end watches",
        [LIMIT_KIND_USER_WATCHES] = "end watches"};
    const char *section = limit_kind_is_of_sharing(refusal->limit_kind) ? "[sharing] " : "";
    if (refusal->limit_bytes == 0) {
        (void)fprintf(file, "  to make room: raise %s%s, which is 0\n", section, refusal->limit);
    } else {
        (void)fprintf(file, "  to make room: %s, or raise %s%s\n", ways[refusal->limit_kind], section, refusal->limit);
    }
}

static void print_time(FILE *file, const struct why_entry *entry)
{
    char text[SIZE_TEXT_BYTES];
    const struct refusal *refusal = &entry->refusal;
    if (entry->refusal.limit_kind == LIMIT_KIND_PAUSED) {
        (void)fprintf(
            file, "  grants of RAM are paused while the machine is under memory pressure ([pressure] pause_ram_at)\n");
    } else if (entry->earliest_ms == UINT64_MAX && limit_kind_is_of_sharing(refusal->limit_kind)) {
        print_way(file, refusal);
    } else if (entry->earliest_ms == UINT64_MAX && refusal->asked_bytes > refusal->limit_bytes) {
        (void)fprintf(file, "  it would not fit even if every lease ended: ask for less, or raise %s\n",
                      refusal->limit);
    } else if (entry->earliest_ms == UINT64_MAX && refusal->ahead_count) {
        (void)fprintf(
            file, "  the requests before it are served first; when enough could come free after them is not known\n");
    } else if (entry->earliest_ms == UINT64_MAX) {
        (void)fprintf(file, "  when enough could come free is not known\n");
    } else if (entry->earliest_ms == 0) {
        (void)fprintf(file, "  enough is free, or is being freed, now\n");
    } else {
        (void)fprintf(file, "  enough could come free in %s, if leases are not renewed; sooner if they are released\n",
                      duration_to_text(entry->earliest_ms, text));
    }
}

/* A waiting request's figures are those of now; so are those of a refused one, while its session lasts. */
static void print_state(FILE *file, const struct why_entry *entry)
{
    char since[SIZE_TEXT_BYTES];
    duration_to_text(entry->since_ms, since);
    if (entry->waits) {
        (void)fprintf(file, " has waited for %s, at place %llu\n", since, (unsigned long long)entry->place);
    } else if (entry->is_over) {
        (void)fprintf(file, " was refused %s ago, and its session has ended; the figures are those of the refusal\n",
                      since);
    } else {
        (void)fprintf(file, " was refused %s ago; the figures are those of now\n", since);
    }
}

static void print_process(FILE *file, const char *name, uint64_t session, int32_t pid, uint32_t uid)
{
    char user[USER_TEXT_BYTES];
    (void)user_to_text(uid, user);
    if (session) {
        text_print(file, name[0] ? name : "unnamed");
        (void)fprintf(file, " (session %llu, pid %d, ", (unsigned long long)session, pid);
    } else {
        (void)fprintf(file, "another user's process (");
    }
    text_print(file, user);
    (void)fputc(')', file);
}

static void print_where_views_are(FILE *file, const struct holder *block)
{
    (void)fprintf(file, " (BLOCK %llu in membrokerctl leases)", (unsigned long long)block->block);
}

/* With what ends it, for those who may: its owner and administrators. */
static void print_block(FILE *file, const struct holder *block)
{
    char user[USER_TEXT_BYTES], views[COUNT_BYTES];
    (void)fprintf(file, block->name[0] ? "block " : "a block");
    text_print(file, block->name);
    (void)fprintf(file, " of ");
    text_print(file, user_to_text(block->uid, user));
    (void)fprintf(file, " (%s)", count_to_text(block->views, "view", views));
    if (block->has_ended) {
        (void)fprintf(file, ", which has ended: its views keep it");
        print_where_views_are(file, block);
    } else if (block->name[0]) {
        (void)fprintf(file, "; to end it: membrokerctl unpublish ");
        text_print(file, block->name);
        if (block->uid != geteuid()) {
            (void)fprintf(file, " --owner %u", block->uid);
        }
        if (block->views) {
            (void)fprintf(file, ", and its views");
            print_where_views_are(file, block);
        }
    }
}

static void print_holders(FILE *file, const char *what, const char *preposition, const struct holder *holders,
                          size_t count, bool are_leases)
{
    char text[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < count; i++) {
        const struct holder *holder = &holders[i];
        (void)fprintf(file, "  %s: %s %s ", what, are_leases ? "a lease" : size_to_text(holder->bytes, text),
                      preposition);
        if (holder->block) {
            print_block(file, holder);
        } else {
            print_process(file, holder->name, holder->session, holder->pid, holder->uid);
        }
        (void)fputc('\n', file);
    }
}

static void print_entry(FILE *file, const struct why_entry *entry)
{
    const struct refusal *refusal = &entry->refusal;
    print_process(file, entry->name, entry->session, entry->pid, entry->uid);
    print_state(file, entry);
    print_limit(file, entry);
    print_holders(file, "held", "by", refusal->holders, refusal->holder_count, false);
    print_holders(file, "before it", "for", refusal->ahead, refusal->ahead_count,
                  entry->refusal.limit_kind == LIMIT_KIND_LEASES);
    if (!entry->is_over) {
        print_time(file, entry);
    } else if (limit_kind_is_of_sharing(refusal->limit_kind) || refusal->limit_kind == LIMIT_KIND_LEASES) {
        print_way(file, refusal);
    }
}

static void print_nothing(FILE *file, uint64_t session)
{
    if (session) {
        (void)fprintf(file, "session %llu has no waiting request and no refusal in the last 10 minutes\n",
                      (unsigned long long)session);
    } else {
        (void)fprintf(file, "no request waits, and none was refused in the last 10 minutes\n");
    }
}

void why_write(FILE *file, const struct why_reply *why, uint64_t session)
{
    for (size_t i = 0; i < why->count; i++) {
        print_entry(file, &why->entries[i]);
    }
    if (why->count == 0) {
        print_nothing(file, session);
    }
}

static int print_objects(const struct why_reply *why)
{
    json_t *array = json_array();
    for (size_t i = 0; i < why->count; i++) {
        (void)json_array_append_new(array, columns_to_json(fields, COLUMNS_COUNT(fields), &why->entries[i]));
    }
    return ctl_print(json_pack("{s:o}", "why", array), false);
}

static int print_all(const struct why_reply *why, uint64_t session, bool json)
{
    if (json) {
        return print_objects(why);
    }
    why_write(stdout, why, session);
    return CTL_DONE;
}

static int take_session(const char *text, uint64_t *ret)
{
    if (!ctl_is_number(text, ret) || *ret == 0) {
        return ctl_usage("`%s` is not a session's number; `membrokerctl sessions` lists them", text);
    }
    return CTL_DONE;
}

int why_main(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_WHY};
    const struct reply *reply;
    if (!ctl_takes(argc, argv, 1) || (argc > 1 && take_session(argv[1], &request.why_session) != CTL_DONE)) {
        return CTL_USAGE;
    }
    int result = ctl_ask(options, &request, &reply);
    return result == CTL_DONE ? print_all(&reply->why, request.why_session, options->json) : result;
}
