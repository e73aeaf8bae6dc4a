/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows of a listing are wanted, and in which order: --user, --class, --client, --min-bytes and --sort. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/ctl/column.h"

struct ctl_options;

int selection_take_user(struct ctl_options *options, const char *value);
int selection_take_class(struct ctl_options *options, const char *value);
int selection_take_min_bytes(struct ctl_options *options, const char *value);
int selection_take_sort(struct ctl_options *options, const char *value);
int selection_take_client(struct ctl_options *options, const char *value);

/* For the table of a verb's options. */
#define SELECTION_OPTIONS                                                                                              \
    {"user", '\0', "[=NAME]", "only what belongs to this user, a name or a number; without a value as below",          \
     selection_take_user},                                                                                             \
        {"min-bytes", '\0', "SIZE", "only what has, or asks for, at least so much", selection_take_min_bytes},         \
        {"sort", '\0', "KEY",                                                                                          \
         "by a column or a key of the JSON: numbers largest first, texts from A; turned round: -KEY",                  \
         selection_take_sort},                                                                                         \
        {"class", '\0', "PATTERN", "only what is of this class or reservation (as in a shell: * and ?)",               \
         selection_take_class},                                                                                        \
    {                                                                                                                  \
        "client", '\0', "PATTERN", "only what is of clients of this name", selection_take_client                       \
    }

/* What a row is selected by. */
struct row_facts {
    bool has_user;
    uint32_t uid;
    const char *class, *client; /* NULL: it has none */
    uint64_t bytes;
};

/* Whom --user=NAME names, else this one. */
uint32_t selection_user(uint32_t otherwise);

/* Whether another option was given: --class, --client, --min-bytes or --sort. */
bool selection_chooses_or_sorts(void);

bool selection_wants(const struct row_facts *facts);

/* How rows are ordered. */
struct row_order {
    const struct column *column; /* NULL: as they come */
    bool is_turned;              /* numbers from the smallest, texts from Z */
};

/* The column with this key or, if there is none, this heading; NULL: none. */
const struct column *column_named(const struct column *columns, size_t count, const char *name);

/* The order that --sort says, else `usual`: CTL_DONE, or CTL_USAGE after a message. */
int selection_order(const struct column *columns, size_t count, const struct row_order *usual, struct row_order *ret);

/* What a row is ordered by. */
struct row_key {
    bool is_there; /* rows without one come last */
    bool is_text;
    uint64_t number;
    char text[CELL_BYTES];
    size_t came; /* rows that are equal stay in the order in which they came */
};

struct row_key row_key_of(const struct column *column, const void *entry, size_t came);

/* Negative: `a` comes first. Never 0. */
int row_key_compare(const struct row_key *a, const struct row_key *b, bool is_turned);
