/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl why */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/table.h"
#include "client/ctl/text.h"
#include "proto/base/size.h"

/* ---- JSON ---- */

static json_t *holder_json(const struct holder *holder)
{
    return json_pack("{s:I,s:s,s:i,s:I,s:I}", "session", (json_int_t)holder->session, "name", holder->name, "pid",
                     holder->pid, "uid", (json_int_t)holder->uid, "bytes", (json_int_t)holder->bytes);
}

static const char *location_name(enum location location)
{
    return location == LOCATION_AUTO ? "auto" : location == LOCATION_MMAP ? "mmap" : "ram";
}

static json_t *entry_json(const struct why_entry *entry)
{
    const struct refusal *refusal = &entry->refusal;
    json_t *holders = json_array();
    for (size_t i = 0; i < refusal->holder_count; i++) {
        (void)json_array_append_new(holders, holder_json(&refusal->holders[i]));
    }
    json_t *earliest = entry->earliest_ms == UINT64_MAX ? json_null() : json_integer((json_int_t)entry->earliest_ms);
    return json_pack("{s:I,s:s,s:i,s:I,s:b,s:I,s:I,s:s,s:b,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "session",
                     (json_int_t)entry->session, "client", entry->name, "pid", entry->pid, "uid",
                     (json_int_t)entry->uid, "waits", entry->waits, "place", (json_int_t)entry->place, "since_ms",
                     (json_int_t)entry->since_ms, "location", location_name(entry->location), "either", entry->either,
                     "limit", refusal->limit, "whose", refusal->whose, "limit_bytes", (json_int_t)refusal->limit_bytes,
                     "asked_bytes", (json_int_t)refusal->asked_bytes, "used_bytes", (json_int_t)refusal->used_bytes,
                     "free_bytes", (json_int_t)refusal->free_bytes, "reserved_bytes",
                     (json_int_t)refusal->reserved_bytes, "claimed_bytes", (json_int_t)refusal->claimed_bytes,
                     "pool_bytes", (json_int_t)refusal->pool_bytes, "earliest_ms", earliest, "holders", holders);
}

/* ---- text ---- */

static bool is_limit(const struct why_entry *entry, const char *limit)
{
    return strcmp(entry->refusal.limit, limit) == 0;
}

/* max_leases: the figures are numbers. */
static void print_leases(const struct refusal *refusal)
{
    printf("  asked for a lease; ");
    text_print(stdout, refusal->whose);
    printf("'s max_leases is %llu, %llu of it used", (unsigned long long)refusal->limit_bytes,
           (unsigned long long)refusal->used_bytes);
    if (refusal->claimed_bytes) {
        printf(", %llu spoken for by those before", (unsigned long long)refusal->claimed_bytes);
    }
    printf(": %llu free\n", (unsigned long long)refusal->free_bytes);
}

static void print_bytes(const struct refusal *refusal)
{
    char limit[SIZE_TEXT_BYTES], used[SIZE_TEXT_BYTES], free_text[SIZE_TEXT_BYTES], other[SIZE_TEXT_BYTES];
    text_print(stdout, refusal->whose);
    printf("'s %s is %s, %s of it used", refusal->limit, size_to_text(refusal->limit_bytes, limit),
           size_to_text(refusal->used_bytes, used));
    if (refusal->pool_bytes) {
        printf(" (%s of that by the warm pool)", size_to_text(refusal->pool_bytes, other));
    }
    if (refusal->reserved_bytes) {
        printf(", %s reserved for others", size_to_text(refusal->reserved_bytes, other));
    }
    if (refusal->claimed_bytes) {
        printf(", %s spoken for by those before", size_to_text(refusal->claimed_bytes, other));
    }
    printf(": %s free\n", size_to_text(refusal->free_bytes, free_text));
}

static void print_limit(const struct why_entry *entry)
{
    static const char *const either[] = {[LOCATION_RAM] = "RAM, or a file", [LOCATION_MMAP] = "a file, or RAM"};
    static const char *const words[] = {[LOCATION_RAM] = "RAM", [LOCATION_MMAP] = "a file"};
    char asked[SIZE_TEXT_BYTES];
    if (is_limit(entry, "max_leases")) {
        print_leases(&entry->refusal);
        return;
    }
    printf("  asked for %s in %s; ", size_to_text(entry->refusal.asked_bytes, asked),
           (entry->either ? either : words)[entry->location == LOCATION_RAM ? LOCATION_RAM : LOCATION_MMAP]);
    if (is_limit(entry, "pause_ram_at")) {
        printf("no RAM is granted now\n");
    } else {
        print_bytes(&entry->refusal);
    }
}

static void print_time(const struct why_entry *entry)
{
    char text[SIZE_TEXT_BYTES];
    const struct refusal *refusal = &entry->refusal;
    if (is_limit(entry, "pause_ram_at")) {
        printf("  grants of RAM are paused while the machine is under memory pressure ([pressure] pause_ram_at)\n");
    } else if (entry->earliest_ms == UINT64_MAX && refusal->asked_bytes > refusal->limit_bytes) {
        printf("  it would not fit even if every lease ended: ask for less, or raise %s\n", refusal->limit);
    } else if (entry->earliest_ms == UINT64_MAX) {
        printf("  when enough could come free is not known\n");
    } else if (entry->earliest_ms == 0) {
        printf("  enough is free, or is being freed, now\n");
    } else {
        printf("  enough could come free in %s, if leases are not renewed; sooner if they are released\n",
               duration_to_text(entry->earliest_ms, text));
    }
}

static void print_entry(const struct why_entry *entry)
{
    char since[SIZE_TEXT_BYTES], text[SIZE_TEXT_BYTES];
    const struct refusal *refusal = &entry->refusal;
    text_print(stdout, entry->name[0] ? entry->name : "unnamed");
    printf(" (session %llu, pid %d, uid %u) ", (unsigned long long)entry->session, entry->pid, entry->uid);
    if (entry->waits) {
        printf("waits since %s, at place %llu\n", duration_to_text(entry->since_ms, since),
               (unsigned long long)entry->place);
    } else {
        printf("was refused %s ago\n", duration_to_text(entry->since_ms, since));
    }
    print_limit(entry);
    for (size_t i = 0; i < refusal->holder_count; i++) {
        const struct holder *holder = &refusal->holders[i];
        printf("  held: %s by ", size_to_text(holder->bytes, text));
        text_print(stdout, holder->name[0] ? holder->name : "unnamed");
        printf(" (session %llu, pid %d, uid %u)\n", (unsigned long long)holder->session, holder->pid, holder->uid);
    }
    print_time(entry);
}

static int print_all(const struct why_reply *why, bool json)
{
    json_t *array = json ? json_array() : NULL;
    for (size_t i = 0; i < why->count; i++) {
        if (array) {
            (void)json_array_append_new(array, entry_json(&why->entries[i]));
        } else {
            print_entry(&why->entries[i]);
        }
    }
    if (array) {
        return ctl_print_json(json_pack("{s:o}", "why", array), false);
    }
    if (why->count == 0) {
        printf("nobody waits, and nobody was refused lately\n");
    }
    return CTL_DONE;
}

int why_main(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_WHY};
    const struct reply *reply;
    char *end = NULL;
    if (!ctl_takes(argc, argv, 1)) {
        return CTL_USAGE;
    }
    if (argc > 1) {
        request.why_session = strtoull(argv[1], &end, 10);
    }
    if (end && (*end || argv[1][0] < '1' || argv[1][0] > '9')) {
        return ctl_usage("`%s` is no session's number; see `membrokerctl sessions`", argv[1]);
    }
    int result = ctl_ask(options, &request, &reply);
    return result == CTL_DONE ? print_all(&reply->why, options->json) : result;
}
