/* SPDX-License-Identifier: Apache-2.0 */
/* The broker sends every row that the user may see; what is not wanted is left out here. */
#include "client/ctl/selection.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/options.h"
#include "client/ctl/users.h"
#include "proto/base/text.h"

static struct {
    bool has_user;
    uint32_t uid;
    const char *class, *client, *sort;
    uint64_t min_bytes;
} wanted;

/* ---- options ---- */

/* Without a value it is the option of every verb. */
int selection_take_user(struct ctl_options *options, const char *value)
{
    if (!value) {
        ctl_fail_with_hint("What belongs to a user is chosen by --user=NAME; --user alone asks the user's own broker.");
        return options_take_user(options, value);
    }
    wanted.has_user = true;
    return user_from_text("--user", value, &wanted.uid);
}

int selection_take_class(struct ctl_options *options, const char *value)
{
    (void)options;
    wanted.class = value;
    return CTL_DONE;
}

int selection_take_min_bytes(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_size("--min-bytes", value, &wanted.min_bytes);
}

int selection_take_sort(struct ctl_options *options, const char *value)
{
    (void)options;
    wanted.sort = value;
    return CTL_DONE;
}

int selection_take_client(struct ctl_options *options, const char *value)
{
    (void)options;
    wanted.client = value;
    return CTL_DONE;
}

static const struct ctl_option list[] = {SELECTION_OPTIONS};

enum { OPTIONS = sizeof list / sizeof *list };

const struct ctl_option_list selection_options = {list, OPTIONS};
const struct ctl_option_list selection_options_without_client = {list, OPTIONS - 1};

/* ---- selecting ---- */

static bool fits(const char *pattern, const char *text)
{
    return !pattern || (text && fnmatch(pattern, text, 0) == 0);
}

uint32_t selection_user(uint32_t otherwise)
{
    return wanted.has_user ? wanted.uid : otherwise;
}

bool selection_chooses_or_sorts(void)
{
    return wanted.class || wanted.client || wanted.min_bytes || wanted.sort;
}

bool selection_wants(const struct row_facts *facts)
{
    bool is_users = !wanted.has_user || (facts->has_user && facts->uid == wanted.uid);
    return is_users && facts->bytes >= wanted.min_bytes && fits(wanted.class, facts->class) &&
           fits(wanted.client, facts->client);
}

/* ---- ordering ---- */

static bool is_named(const struct column *column, const char *name)
{
    return (column->key && strcasecmp(column->key, name) == 0) ||
           (column->heading && strcasecmp(column->heading, name) == 0);
}

/* Keys first: a heading may be another column's key. */
const struct column *column_named(const struct column *columns, size_t count, const char *name)
{
    const struct column *found = NULL;
    for (size_t i = 0; i < count; i++) {
        bool is_key = columns[i].key && strcmp(columns[i].key, name) == 0;
        if (is_key || (!found && is_named(&columns[i], name) && columns[i].kind != COLUMN_JSON)) {
            found = &columns[i];
        }
    }
    return found && found->kind != COLUMN_JSON ? found : NULL;
}

static int fail_unknown(const struct column *columns, size_t count)
{
    char keys[640] = "";
    for (size_t i = 0; i < count; i++) {
        if (columns[i].key && columns[i].kind != COLUMN_JSON) {
            size_t used = strlen(keys);
            (void)snprintf(keys + used, sizeof keys - used, "%s%s", used ? ", " : "", columns[i].key);
        }
    }
    return ctl_usage("--sort `%s`: there is no such column; there are %s", wanted.sort, keys);
}

int selection_order(const struct column *columns, size_t count, const struct row_order *usual, struct row_order *ret)
{
    bool is_turned = wanted.sort && *wanted.sort == '-';
    *ret = *usual;
    if (!wanted.sort) {
        return CTL_DONE;
    }
    *ret = (struct row_order){column_named(columns, count, wanted.sort + is_turned), is_turned};
    return ret->column ? CTL_DONE : fail_unknown(columns, count);
}

struct row_key row_key_of(const struct column *column, const void *entry, size_t came)
{
    struct row_key key = {.came = came};
    char cell[CELL_BYTES];
    if (!column) {
        return key;
    }
    const char *text = column_text(column, entry, cell);
    key.is_text = text;
    if (text) {
        text_copy(key.text, sizeof key.text, text);
        key.is_there = *text;
    } else {
        key.is_there = column_amount(column, entry, &key.number);
    }
    return key;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int row_key_compare(const struct row_key *a, const struct row_key *b, bool is_turned)
{
    int order = compare_numbers(b->is_there, a->is_there);
    if (order == 0 && a->is_there) {
        order = a->is_text ? strcasecmp(a->text, b->text) : compare_numbers(b->number, a->number);
        order = is_turned ? -order : order;
    }
    return order ? order : compare_numbers(a->came, b->came);
}
