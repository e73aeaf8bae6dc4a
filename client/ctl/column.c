/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/column.h"

#include <stdio.h>
#include <string.h>

#include "client/ctl/print.h"
#include "client/ctl/users.h"
#include "proto/base/size.h"

static const void *field_of(const struct column *column, const void *entry)
{
    return (const char *)entry + column->offset;
}

uint64_t column_number(const struct column *column, const void *entry)
{
    const void *field = field_of(column, entry);
    return column->size == sizeof(uint64_t) ? *(const uint64_t *)field : *(const uint32_t *)field;
}

static const char *string_of(const struct column *column, const void *entry)
{
    const void *field = field_of(column, entry);
    return column->kind == COLUMN_STRING ? *(const char *const *)field : (const char *)field;
}

const char *column_text(const struct column *column, const void *entry, char cell[CELL_BYTES])
{
    switch (column->kind) {
    case COLUMN_TEXT:
    case COLUMN_STRING:
        return string_of(column, entry);
    case COLUMN_WORDS:
        return column->words(entry, cell);
    case COLUMN_NUMBER:
    case COLUMN_NUMBER_OR_NONE:
    case COLUMN_BYTES:
    case COLUMN_LIMIT:
    case COLUMN_DURATION:
    case COLUMN_FLAG:
    case COLUMN_COUNTED:
    case COLUMN_JSON:
        break;
    }
    return NULL;
}

bool column_amount(const struct column *column, const void *entry, uint64_t *ret)
{
    switch (column->kind) {
    case COLUMN_NUMBER:
    case COLUMN_BYTES:
    case COLUMN_DURATION:
        *ret = column_number(column, entry);
        return true;
    case COLUMN_NUMBER_OR_NONE:
        *ret = column_number(column, entry);
        return *ret != 0;
    case COLUMN_LIMIT:
        *ret = column_number(column, entry);
        return *ret != UINT64_MAX;
    case COLUMN_FLAG:
        *ret = *(const bool *)field_of(column, entry);
        return true;
    case COLUMN_COUNTED:
        return column->number(entry, ret);
    case COLUMN_TEXT:
    case COLUMN_STRING:
    case COLUMN_WORDS:
    case COLUMN_JSON:
        break;
    }
    return false;
}

/* ---- JSON ---- */

static json_t *value_of(const struct column *column, const void *entry)
{
    char cell[CELL_BYTES];
    uint64_t number = 0;
    if (column->kind == COLUMN_JSON) {
        return column->json(entry);
    }
    if (column->kind == COLUMN_FLAG) {
        return json_boolean(*(const bool *)field_of(column, entry));
    }
    const char *text = column_text(column, entry, cell);
    if (text) {
        return json_text(text);
    }
    return column_amount(column, entry, &number) ? json_integer((json_int_t)number) : json_null();
}

/* The object that a key lies in, made if it is the first one there; *key moves behind the point. */
static json_t *object_of(json_t *document, const char **key)
{
    const char *point = strchr(*key, '.');
    char name[CELL_BYTES];
    if (!point) {
        return document;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)(point - *key), *key);
    *key = point + 1;
    json_t *object = json_object_get(document, name);
    if (!object) {
        object = json_object();
        (void)json_object_set_new(document, name, object);
    }
    return object;
}

json_t *columns_to_json(const struct column *columns, size_t count, const void *entry)
{
    json_t *document = json_object();
    bool is_complete = document;
    for (size_t i = 0; is_complete && i < count; i++) {
        const char *key = columns[i].key;
        if (key) {
            json_t *object = object_of(document, &key);
            is_complete = json_object_set_new(object, key, value_of(&columns[i], entry)) == 0;
        }
    }
    if (!is_complete) {
        json_decref(document);
        return NULL;
    }
    return document;
}

/* ---- tables ---- */

const char *column_cell(const struct column *column, const void *entry, char cell[CELL_BYTES])
{
    uint64_t number = 0;
    const char *text = column->shown ? column->shown(entry, cell) : column_text(column, entry, cell);
    bool is_there = !text && column_amount(column, entry, &number);
    if (text) {
        return text;
    }
    if (column->kind == COLUMN_BYTES || column->kind == COLUMN_LIMIT) {
        return size_to_text(number, cell);
    }
    if (column->kind == COLUMN_DURATION) {
        return duration_to_text(number, cell);
    }
    (void)snprintf(cell, CELL_BYTES, "%llu", (unsigned long long)number);
    return is_there ? cell : "";
}

bool column_is_shown(const struct column *column)
{
    return column->heading && (!column->is_user_name || users_have_names());
}

bool column_is_aligned_right(const struct column *column)
{
    return column->right || column->kind <= COLUMN_DURATION || column->kind == COLUMN_COUNTED;
}

struct libscols_table *columns_to_table(const struct column *columns, size_t count)
{
    struct libscols_table *table = scols_new_table();
    for (size_t i = 0; table && i < count; i++) {
        int flags = column_is_aligned_right(&columns[i]) ? SCOLS_FL_RIGHT : 0;
        if (column_is_shown(&columns[i]) && !scols_table_new_column(table, columns[i].heading, 0, flags)) {
            scols_unref_table(table);
            return NULL;
        }
    }
    return table;
}

struct libscols_line *columns_to_line(const struct column *columns, size_t count, const void *entry)
{
    struct libscols_line *line = scols_new_line();
    size_t at = 0;
    if (line && scols_line_alloc_cells(line, count) < 0) {
        scols_unref_line(line);
        return NULL;
    }
    for (size_t i = 0; line && i < count; i++) {
        char cell[CELL_BYTES];
        if (column_is_shown(&columns[i])) {
            const char *text = column_cell(&columns[i], entry, cell);
            (void)scols_line_set_data(line, at++, *text ? text : "-");
        }
    }
    return line;
}

void columns_add_row(struct libscols_table *table, const struct column *columns, size_t count, const void *entry)
{
    struct libscols_line *line = table ? columns_to_line(columns, count, entry) : NULL;
    if (line) {
        (void)scols_table_add_line(table, line);
        scols_unref_line(line);
    }
}
