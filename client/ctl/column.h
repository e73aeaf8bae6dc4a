/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns: what membrokerctl shows of an answer, described once for people and for programs. A column with a heading is
 * a cell of a table; one with a key is a field of a JSON object. What is absent is "-" in a table, and null in JSON.
 */
#pragma once

#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CELL_BYTES = 64 };

enum column_kind {
    COLUMN_NUMBER,         /* an unsigned integer of 4 or 8 bytes */
    COLUMN_NUMBER_OR_NONE, /* the same; 0 is absent */
    COLUMN_BYTES,          /* 8 bytes: "1.5 GiB", and the number */
    COLUMN_LIMIT,          /* the same; UINT64_MAX is absent */
    COLUMN_DURATION,       /* milliseconds, in 4 or 8 bytes: "1min 30s", and the number */
    COLUMN_FLAG,           /* bool; JSON alone */
    COLUMN_TEXT,           /* an array of characters; "" is absent */
    COLUMN_STRING,         /* a pointer to characters */
    COLUMN_WORDS,          /* what words() says; "" is absent */
    COLUMN_COUNTED,        /* what number() says, if it says anything */
    COLUMN_JSON,           /* what json() makes; JSON alone */
};

struct column {
    const char *heading; /* NULL: JSON alone */
    const char *key;     /* NULL: the table alone; "a.b": b in an object a */
    enum column_kind kind;
    size_t offset, size; /* of the field */
    bool right;          /* words that are aligned as numbers are */
    bool is_user_name;   /* words that a table does not have with --numeric */
    const char *(*shown)(const void *entry, char cell[CELL_BYTES]); /* in a table instead of the value; NULL: that */
    union {
        const char *(*words)(const void *entry, char cell[CELL_BYTES]);
        bool (*number)(const void *entry, uint64_t *ret);
        json_t *(*json)(const void *entry);
    };
};

#define COLUMN_FIELD(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)
#define COLUMNS_COUNT(columns)    (sizeof(columns) / sizeof *(columns))

/* The number in a column of COLUMN_NUMBER. */
uint64_t column_number(const struct column *column, const void *entry);

/* The columns that have a key, as an object; NULL when memory is short. */
json_t *columns_to_json(const struct column *columns, size_t count, const void *entry);

/* An empty table of the columns that have a heading; NULL when memory is short. */
struct libscols_table *columns_to_table(const struct column *columns, size_t count);

/* What a column has of an entry as text; NULL: its kind is a number. */
const char *column_text(const struct column *column, const void *entry, char cell[CELL_BYTES]);

/* What a table shows of an entry; "": nothing. */
const char *column_cell(const struct column *column, const void *entry, char cell[CELL_BYTES]);

/* Whether a table has the column. */
bool column_is_shown(const struct column *column);

/* What a column that is a number has of an entry. False: nothing. */
bool column_amount(const struct column *column, const void *entry, uint64_t *ret);

/* Whether a table aligns it as numbers are. */
bool column_is_aligned_right(const struct column *column);

/* A row that is in no table yet; NULL when memory is short. */
struct libscols_line *columns_to_line(const struct column *columns, size_t count, const void *entry);

/* A row of it. Takes NULL. */
void columns_add_row(struct libscols_table *table, const struct column *columns, size_t count, const void *entry);
