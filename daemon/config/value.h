/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types of configuration values. A type reads a value from a file's text, prints it so that it can be read back,
 * and compares two of them. Code that uses a value knows its C type; code that stores it needs only the type.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "daemon/core/input.h"
#include "proto/message.h"

enum { VALUE_WRONG_BYTES = 160 };

struct value_type;

/* What a text is read with. */
struct value_reading {
    const struct value_type *type;
    uint64_t host_bytes;           /* what percentages are of */
    uint32_t least, most;          /* of types with a range */
    char wrong[VALUE_WRONG_BYTES]; /* room for a sentence */
};

struct value_type {
    const char *name;         /* for people, such as "duration" */
    size_t bytes;             /* of its C type */
    const char *const *words; /* of a choice, by value; NULL: that value has none */
    size_t word_count;
    unsigned detail; /* the type's own */
    bool names_word; /* its sentences quote what is wrong themselves */
    bool has_range;
    bool shows_default; /* a section prints it even if it is what it would be without */
    /* Reads the value; what was there before is freed. Returns what is wrong with the text, or NULL. */
    const char *(*parse)(struct value_reading *reading, const char *text, void *value);
    void (*print)(const struct value_type *type, const void *value, FILE *out);
    bool (*is_set)(const struct value_type *type, const void *value);             /* NULL: it always is */
    bool (*differs)(const struct value_type *type, const void *a, const void *b); /* NULL: if their bytes do */
    void (*free)(void *value);                                                    /* NULL: it owns nothing */
};

/* The C types of values that are no plain number. */
struct group_choice {
    char *name; /* NULL: none */
    gid_t gid;
};

/* Each type and its C type; value_type_NAME is its description. */
#define VALUE_TYPES(X)                                                                                                 \
    X(PATH, char *)                                                                                                    \
    X(SOCKET_PATH, char *)                                                                                             \
    X(MODE, mode_t)                                                                                                    \
    X(GROUP, struct group_choice)                                                                                      \
    X(BYTES, uint64_t)      /* 0 and "unlimited" switch it off */                                                      \
    X(BYTE_LIMIT, uint64_t) /* the same, or "nothing" */                                                               \
    X(AMOUNT, uint64_t)     /* 0 is 0 */                                                                               \
    X(HISTORY, uint64_t)    /* the same, in bounds */                                                                  \
    X(COUNT_LIMIT, uint64_t)                                                                                           \
    X(DURATION, uint32_t) /* milliseconds */                                                                           \
    X(NUMBER, uint32_t)                                                                                                \
    X(PERCENT, uint32_t)                                                                                               \
    X(FLAG, bool)                                                                                                      \
    X(PRESSURE, enum pressure)                                                                                         \
    X(CHARGE, enum charged_to)                                                                                         \
    X(HUGE, enum huge_pages)                                                                                           \
    X(SIZES, struct pool_sizes)                                                                                        \
    X(USERS, struct access_list)                                                                                       \
    X(GROUPS, struct access_list)                                                                                      \
    X(MEMBER_USERS, struct policy_member *) /* the member's of struct policy_rule */                                   \
    X(MEMBER_GROUPS, struct policy_member *)                                                                           \
    X(MEMBER_CLIENTS, struct policy_member *)                                                                          \
    X(MEMBER_SLICES, struct policy_member *)

#define VALUE_TYPE_DECLARATION(name, c_type)                                                                           \
    extern const struct value_type value_type_##name;                                                                  \
    typedef c_type value_##name;
VALUE_TYPES(VALUE_TYPE_DECLARATION)
#undef VALUE_TYPE_DECLARATION

bool value_is_set(const struct value_type *type, const void *value);
bool value_differs(const struct value_type *type, const void *a, const void *b);

/* Lets two values of a type change places. */
void value_swap(const struct value_type *type, void *a, void *b);

/* Frees what the value owns. */
void value_free(const struct value_type *type, void *value);
