/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/column.h"

#include <stdio.h>
#include <string.h>

#include "client/ctl/print.h"
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

/* ---- JSON ---- */

static json_t *integer_or_null(bool is_there, uint64_t number)
{
    return is_there ? json_integer((json_int_t)number) : json_null();
}

static json_t *value_of(const struct column *column, const void *entry)
{
    char cell[CELL_BYTES];
    uint64_t number = 0;
    bool is_there;
    switch (column->kind) {
    case COLUMN_NUMBER:
    case COLUMN_BYTES:
    case COLUMN_DURATION:
        return json_integer((json_int_t)column_number(column, entry));
    case COLUMN_NUMBER_OR_NONE:
        number = column_number(column, entry);
        return integer_or_null(number != 0, number);
    case COLUMN_LIMIT:
        number = column_number(column, entry);
        return integer_or_null(number != UINT64_MAX, number);
    case COLUMN_FLAG:
        return json_boolean(*(const bool *)field_of(column, entry));
    case COLUMN_TEXT:
    case COLUMN_STRING:
        return json_text(string_of(column, entry));
    case COLUMN_WORDS:
        return json_text(column->words(entry, cell));
    case COLUMN_COUNTED:
        is_there = column->number(entry, &number);
        return integer_or_null(is_there, number);
    case COLUMN_JSON:
        return column->json(entry);
    }
    return NULL;
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

static const char *cell_of(const struct column *column, const void *entry, char cell[CELL_BYTES])
{
    uint64_t number = 0;
    bool is_there = true;
    switch (column->kind) {
    case COLUMN_BYTES:
    case COLUMN_LIMIT:
        return size_to_text(column_number(column, entry), cell);
    case COLUMN_DURATION:
        return duration_to_text(column_number(column, entry), cell);
    case COLUMN_TEXT:
    case COLUMN_STRING:
        return string_of(column, entry);
    case COLUMN_WORDS:
        return column->words(entry, cell);
    case COLUMN_NUMBER:
        number = column_number(column, entry);
        break;
    case COLUMN_NUMBER_OR_NONE:
        number = column_number(column, entry);
        is_there = number != 0;
        break;
    case COLUMN_COUNTED:
        is_there = column->number(entry, &number);
        break;
    case COLUMN_FLAG:
    case COLUMN_JSON:
        is_there = false;
        break;
    }
    if (!is_there) {
        return "";
    }
    (void)snprintf(cell, CELL_BYTES, "%llu", (unsigned long long)number);
    return cell;
}

static bool is_aligned_right(const struct column *column)
{
    return column->right || column->kind <= COLUMN_DURATION || column->kind == COLUMN_COUNTED;
}

struct libscols_table *columns_to_table(const struct column *columns, size_t count)
{
    struct libscols_table *table = scols_new_table();
    for (size_t i = 0; table && i < count; i++) {
        int flags = is_aligned_right(&columns[i]) ? SCOLS_FL_RIGHT : 0;
        if (columns[i].heading && !scols_table_new_column(table, columns[i].heading, 0, flags)) {
            scols_unref_table(table);
            return NULL;
        }
    }
    return table;
}

void columns_add_row(struct libscols_table *table, const struct column *columns, size_t count, const void *entry)
{
    struct libscols_line *line = table ? scols_table_new_line(table, NULL) : NULL;
    size_t at = 0;
    for (size_t i = 0; line && i < count; i++) {
        char cell[CELL_BYTES];
        if (columns[i].heading) {
            const char *text = cell_of(&columns[i], entry, cell);
            (void)scols_line_set_data(line, at++, *text ? text : "-");
        }
    }
}
