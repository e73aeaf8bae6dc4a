/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl blocks, and unpublish NAME... */
#include <stdio.h>
#include <unistd.h>

#include "client/ctl/blocks_follow.h"
#include "client/ctl/listing.h"
#include "client/ctl/names.h"
#include "client/ctl/options.h"
#include "client/ctl/owner.h"
#include "client/ctl/users.h"
#include "proto/base/end_reason.h"
#include "proto/base/location.h"
#include "proto/base/text.h"

static const char *lifetime(const void *entry, char cell[CELL_BYTES])
{
    static const char *const words[] = {
        [LIFETIME_SESSION] = "session", [LIFETIME_KEEP] = "keep", [LIFETIME_CACHE] = "cache"};
    const struct block_entry *block = entry;
    (void)cell;
    return (unsigned)block->lifetime <= LIFETIME_CACHE ? words[block->lifetime] : "unknown";
}

static const char *location(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return location_name(((const struct block_entry *)entry)->location);
}

static const char *access_of(const void *entry, char cell[CELL_BYTES])
{
    const struct block_entry *block = entry;
    if (block->access == BLOCK_ACCESS_GROUP) {
        (void)snprintf(cell, CELL_BYTES, "group %u", block->gid);
        return cell;
    }
    return block->access == BLOCK_ACCESS_ALL ? "all" : "user";
}

static const char *owner(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct block_entry *)entry)->owner);
}

static const char *ended(const void *entry, char cell[CELL_BYTES])
{
    const struct block_entry *block = entry;
    (void)cell;
    return block->ended == END_NONE ? "" : end_reason_text_of_block(block->ended);
}

static bool keep(const void *entry, uint64_t *ret)
{
    *ret = ((const struct block_entry *)entry)->keep_ms;
    return *ret != UINT64_MAX;
}

#define FIELD(name) COLUMN_FIELD(struct block_entry, name)

static const struct column columns[] = {
    {"BLOCK", "block", COLUMN_NUMBER, FIELD(block)},
    {"NAME", "name", COLUMN_TEXT, FIELD(name)},
    {"TYPE", "type", COLUMN_TEXT, FIELD(type)},
    {"SIZE", "bytes", COLUMN_BYTES, FIELD(bytes)},
    {"IN", "location", COLUMN_WORDS, .words = location},
    {"VIEWS", "views", COLUMN_NUMBER, FIELD(views)},
    {"LIFETIME", "lifetime", COLUMN_WORDS, .words = lifetime},
    {NULL, "keep_ms", COLUMN_COUNTED, .number = keep},
    {"ACCESS", "access", COLUMN_WORDS, .words = access_of},
    {"UID", "uid", COLUMN_NUMBER, FIELD(owner)},
    {"USER", "user", COLUMN_WORDS, .words = owner, .is_user_name = true},
    {"PUBLISHER", "publisher", COLUMN_NUMBER_OR_NONE, FIELD(publisher)},
    {"AGE", "age_ms", COLUMN_DURATION, FIELD(age_ms)},
    {"ENDED", "ended", COLUMN_WORDS, .words = ended},
};

static const void *entry_of(const struct listing_reply *page, size_t index)
{
    return index < page->block_count ? &page->blocks[index] : NULL;
}

static void facts_of(const void *entry, struct row_facts *ret)
{
    const struct block_entry *block = entry;
    *ret = (struct row_facts){.has_user = true, .uid = block->owner, .class = "", .bytes = block->bytes};
}

const struct listing_kind blocks_listing = {
    .what = LIST_BLOCKS,
    .name = "blocks",
    .none = "there are no blocks",
    .columns = columns,
    .column_count = COLUMNS_COUNT(columns),
    .entry_size = sizeof(struct block_entry),
    .entry = entry_of,
    .facts = facts_of,
};

/* ---- the verb ---- */

static bool is_followed;
static const char *prefix = "";

static int take_follow(struct ctl_options *options, const char *value)
{
    (void)options;
    (void)value;
    is_followed = true;
    return CTL_DONE;
}

static const struct ctl_option blocks_list[] = {
    {"follow", '\0', NULL,
     "print the blocks of one user (--user=NAME; default: you) that you may attach, and then what happens, each as a "
     "line",
     take_follow},
    SELECTION_OPTIONS,
};
/* A block has neither a class nor a client. */
const struct ctl_option_list blocks_options = {blocks_list, sizeof blocks_list / sizeof *blocks_list - 2};

static bool has_prefix(const void *entry)
{
    return text_begins(((const struct block_entry *)entry)->name, prefix);
}

int blocks_main(const struct ctl_options *options, int argc, char **argv)
{
    struct listing_kind kind = blocks_listing;
    if (!ctl_takes(argc, argv, 1)) {
        return CTL_USAGE;
    }
    prefix = argc > 1 ? argv[1] : "";
    if (is_followed && selection_chooses_or_sorts()) {
        return ctl_usage("--follow goes with --user=NAME alone: --min-bytes and --sort are for lists");
    }
    kind.wants = has_prefix;
    return is_followed ? blocks_follow(options, selection_user(geteuid()), prefix)
                       : listing_main(&kind, options, 1, argv);
}

/* ---- unpublish ---- */

static const struct ctl_option unpublish_list[] = {
    OWNER_OPTION("whose block it is (default: your own)"),
};
const struct ctl_option_list unpublish_options = {unpublish_list, sizeof unpublish_list / sizeof *unpublish_list};

static int unpublish(const struct ctl_options *options, const char *name)
{
    const struct reply *reply;
    struct request request = {.kind = REQUEST_UNPUBLISH};
    request.unpublish.has_owner = owner_said(&request.unpublish.owner);
    text_copy(request.unpublish.name, MESSAGE_NAME_SIZE, name);
    int status = ctl_ask(options, &request, &reply);
    return status == CTL_DONE ? names_done(options, "block", name, "unpublished") : status;
}

int unpublish_main(const struct ctl_options *options, int argc, char **argv)
{
    return names_are_valid(argc, argv, "a block", "; `membrokerctl blocks` lists them")
               ? names_each(options, argc, argv, unpublish)
               : CTL_USAGE;
}
