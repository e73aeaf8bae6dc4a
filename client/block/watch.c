/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching names. The watch knows which block each name led to when the program was last told. The broker is asked only
 * when nothing that it sent is left to be told. If it has forgotten what happened since then, or is another one, the
 * watch lists the names again, and what differs from what it knows has happened.
 */
#include <errno.h>
#include <stdlib.h>

#include "client/block/block.h"
#include "client/call.h"
#include "client/clock.h"
#include "client/error.h"
#include "client/owner.h"
#include "client/thread.h"
#include "proto/base/size.h"
#include "proto/base/text.h"
#include "proto/base/tree.h"
#include "proto/name.h"

_Static_assert(sizeof(((mb_block_change *)0)->name) == MESSAGE_NAME_SIZE, "a name fits");

/* A block that the program was told of. */
struct known {
    struct block_change_entry entry;
    uint64_t listing; /* the last one that had it */
    RB_ENTRY(known) by_name;
};

RB_HEAD(known_tree, known);

struct mb_block_watch {
    mb_client *client;
    struct watch_blocks_request request; /* the next one */
    uint64_t listing;                    /* how many there were; also the number of the present one */
    uint64_t revision;                   /* of the present list's beginning */
    struct known_tree known;
    bool is_complete;        /* a list is, and what it had not is to be told */
    struct known *unchecked; /* from here on; NULL: none of these is */
    struct changes_answer received;
    size_t told; /* how many of these */
    mb_block_change change;
};

static int compare(const struct known *a, const struct known *b)
{
    return strcmp(a->entry.name, b->entry.name);
}

TREE_GENERATE(known_tree, known, by_name, compare)

static struct known *find(const mb_block_watch *watch, const char *name)
{
    struct known key;
    text_copy(key.entry.name, sizeof key.entry.name, name);
    return RB_FIND(known_tree, TREE_FOR_LOOKUP(known_tree, &watch->known), &key);
}

static bool is_listing(const mb_block_watch *watch)
{
    return watch->request.after == 0;
}

/* ---- telling ---- */

static int tell(mb_block_watch *watch, const struct block_change_entry *entry, mb_block_change_type type)
{
    watch->change = (mb_block_change){
        .type = type, .number = entry->block, .bytes = entry->bytes, .reason = (mb_end_reason)entry->ended};
    text_copy(watch->change.name, sizeof watch->change.name, entry->name);
    text_copy(watch->change.block_type, sizeof watch->change.block_type, entry->type);
    return 1;
}

static int tell_end(mb_block_watch *watch, struct known *known, enum end_reason reason)
{
    known->entry.ended = reason;
    (void)tell(watch, &known->entry, MB_BLOCK_ENDED);
    RB_REMOVE(known_tree, &watch->known, known);
    free(known);
    return 1;
}

/* NULL: memory is short. The watch has it. */
static const struct known *add(mb_block_watch *watch, const struct block_change_entry *entry)
{
    struct known *known = malloc(sizeof *known);
    if (known) {
        *known = (struct known){.entry = *entry, .listing = watch->listing};
        RB_INSERT(known_tree, &watch->known, known);
    }
    return known;
}

static int tell_publication(mb_block_watch *watch, const struct block_change_entry *entry)
{
    if (!add(watch, entry)) {
        return error_no_memory();
    }
    watch->told++;
    return tell(watch, entry, MB_BLOCK_PUBLISHED);
}

/* 1: *entry, or the end of what had its name before, is told; 0: the program knows of it. */
static int take(mb_block_watch *watch, const struct block_change_entry *entry)
{
    struct known *known = find(watch, entry->name);
    if (known && known->entry.block == entry->block && entry->ended != END_NONE) {
        watch->told++;
        return tell_end(watch, known, entry->ended);
    }
    if (entry->ended == END_NONE && known && known->entry.block < entry->block) {
        return tell_end(watch, known, END_NONE); /* and then this one again */
    }
    if (entry->ended == END_NONE && !known) {
        return tell_publication(watch, entry);
    }
    if (known && known->entry.block == entry->block) {
        known->listing = watch->listing;
    }
    watch->told++;
    return 0;
}

/* Those that were known before, and are not in the complete list. */
static int tell_missing(mb_block_watch *watch)
{
    if (watch->is_complete) {
        watch->is_complete = false;
        watch->unchecked = RB_MIN(known_tree, &watch->known);
    }
    while (watch->unchecked) {
        struct known *known = watch->unchecked;
        watch->unchecked = RB_NEXT(known_tree, &watch->known, known);
        if (known->listing != watch->listing) {
            return tell_end(watch, known, END_NONE);
        }
    }
    return 0;
}

/* ---- asking ---- */

static void list_again(mb_block_watch *watch)
{
    watch->listing++;
    watch->request.after = watch->revision = 0;
    watch->request.after_name[0] = '\0';
}

static void go_on(mb_block_watch *watch)
{
    const struct changes_answer *received = &watch->received;
    if (received->lost) {
        list_again(watch);
        return;
    }
    watch->revision = is_listing(watch) && watch->revision ? watch->revision : received->revision;
    if (received->more && received->count) {
        text_copy(watch->request.after_name, sizeof watch->request.after_name,
                  received->changes[received->count - 1].name);
        return;
    }
    watch->is_complete = is_listing(watch);
    watch->request.after = watch->revision;
}

static int ask(mb_block_watch *watch, uint64_t until)
{
    struct request request = {.kind = REQUEST_WATCH_BLOCKS, .watch_blocks = watch->request};
    struct call call = {.changes = &watch->received};
    if (!is_listing(watch)) {
        request.watch_blocks.wait_ms = (uint32_t)size_subtract_floored(until, clock_milliseconds());
    }
    watch->told = watch->received.count = 0;
    int result = call_broker(watch->client, &request, &call);
    if (result == 0) {
        go_on(watch);
    }
    return result;
}

/* 1: a change is told; 0: nothing that the broker sent is left; or negative errno. */
static int tell_received(mb_block_watch *watch)
{
    while (watch->told < watch->received.count) {
        int result = take(watch, &watch->received.changes[watch->told]);
        if (result != 0) {
            return result;
        }
    }
    return tell_missing(watch);
}

int mb_block_watch_next(mb_block_watch *watch, uint32_t wait_ms, const mb_block_change **ret_change)
{
    uint64_t until = clock_milliseconds() + wait_ms;
    bool was_asked = false;
    int result = tell_received(watch);
    while (result == 0 && (!was_asked || is_listing(watch) || clock_milliseconds() < until)) {
        was_asked = !is_listing(watch);
        result = ask(watch, until);
        result = result < 0 ? result : tell_received(watch);
    }
    *ret_change = result > 0 ? &watch->change : NULL;
    return error_end(result);
}

/* ---- beginning and end ---- */

static int begin(mb_client *client, const struct watch_blocks_request *asked, const char *prefix,
                 mb_block_watch **ret_watch)
{
    int result = owner_check(client);
    if (result < 0) {
        return result;
    }
    if (!prefix || !name_is_valid(prefix)) {
        return error_set(-EINVAL, "a prefix must be UTF-8 of at most 63 bytes without control characters");
    }
    mb_block_watch *watch = calloc(1, sizeof *watch);
    if (!watch) {
        return error_no_memory();
    }
    watch->client = client;
    watch->request = *asked;
    text_copy(watch->request.prefix, sizeof watch->request.prefix, prefix);
    RB_INIT(&watch->known);
    list_again(watch);
    *ret_watch = watch;
    return error_end(0);
}

int mb_watch_blocks(mb_client *client, const char *prefix, mb_block_watch **ret_watch)
{
    const struct watch_blocks_request asked = {0};
    return begin(client, &asked, prefix, ret_watch);
}

int mb_watch_blocks_of(mb_client *client, uint32_t owner, const char *prefix, mb_block_watch **ret_watch)
{
    const struct watch_blocks_request asked = {.has_owner = true, .owner = owner};
    return begin(client, &asked, prefix, ret_watch);
}

void mb_block_watch_end(mb_block_watch *watch)
{
    struct known *known;
    if (!watch) {
        return;
    }
    while ((known = RB_ROOT(&watch->known))) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the one before was removed
        RB_REMOVE(known_tree, &watch->known, known);
        free(known);
    }
    free(watch);
}
