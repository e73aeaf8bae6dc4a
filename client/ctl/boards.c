/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl boards: the objects of each user, counted. A user may have a million of them, so they are not named. */
#include "client/ctl/listing.h"
#include "client/ctl/users.h"

static const char *owner(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct board_entry *)entry)->owner);
}

static const char *state(const void *entry, char cell[CELL_BYTES])
{
    const struct board_entry *board = entry;
    (void)cell;
    return board->has_ended ? "freeing" : board->objects ? "used" : "empty";
}

#define FIELD(name) COLUMN_FIELD(struct board_entry, name)

static const struct column columns[] = {
    {"BOARD", "board", COLUMN_NUMBER, FIELD(board)},
    {"UID", "uid", COLUMN_NUMBER, FIELD(owner)},
    {"USER", "user", COLUMN_WORDS, .words = owner, .is_user_name = true},
    {"CLASS", "class", COLUMN_TEXT, FIELD(class)},
    {"OBJECTS", "objects", COLUMN_NUMBER, FIELD(objects)},
    {"CONTENT", "object_bytes", COLUMN_BYTES, FIELD(object_bytes)},
    {"KEPT", "kept_objects", COLUMN_NUMBER, FIELD(kept_objects)},
    {"GROUPS", "group_objects", COLUMN_NUMBER, FIELD(group_objects)},
    {"ALL", "all_objects", COLUMN_NUMBER, FIELD(all_objects)},
    {"SIZE", "bytes", COLUMN_BYTES, FIELD(bytes)},
    {"STATE", "state", COLUMN_WORDS, .words = state},
};

static const void *entry_of(const struct listing_reply *page, size_t index)
{
    return index < page->board_count ? &page->boards[index] : NULL;
}

static void facts_of(const void *entry, struct row_facts *ret)
{
    const struct board_entry *board = entry;
    *ret = (struct row_facts){.has_user = true, .uid = board->owner, .class = board->class, .bytes = board->bytes};
}

int boards_main(const struct ctl_options *options, int argc, char **argv)
{
    static const struct listing_kind kind = {.what = LIST_BOARDS,
                                             .name = "boards",
                                             .none = "there are no objects",
                                             .columns = columns,
                                             .column_count = COLUMNS_COUNT(columns),
                                             .entry = entry_of,
                                             .facts = facts_of};
    return listing_main(&kind, options, argc, argv);
}
