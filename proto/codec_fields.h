/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec's tables: how the members of our structures (message.h) and the fields of the structures that protobuf-c
 * generates go together. Each field is one line, which encoding and decoding both follow. For the codec's own files.
 *
 * A table names both types, and has a line for each field:
 *
 *     CODEC_FIELDS(trim, struct trim_event, TrimEvent) = {
 *         NUMBER(trim, wanted_bytes),
 *         NUMBER(trim, location, RANGE(LOCATION_AUTO, "unknown location")),
 *     };
 *     CODEC_TABLE(trim, trim_event);
 *
 * The macros compare the types of both sides; a pair that does not fit does not compile.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/codec_arena.h"

enum codec_kind {
    CODEC_BOOL,
    CODEC_32, /* an integer or an enumeration */
    CODEC_64,
    CODEC_TEXT,  /* an array of char; a longer text is cut when it is decoded */
    CODEC_NAME,  /* an array of MESSAGE_NAME_SIZE char, whose content is checked when it is decoded */
    CODEC_TOKEN, /* a struct token */
    /* What follows has no largest size. */
    CODEC_STRING,  /* a const char *; an absent one reads as "" */
    CODEC_STRINGS, /* a pointer to const char * and a count */
    CODEC_BYTES,   /* a struct message_bytes; absent ones read as none */
    CODEC_MESSAGE, /* a structure, by its own table; an absent one reads as one without any field */
    CODEC_ARRAY,   /* an array of structures and a count; what exceeds the array is left out when it is decoded */
    CODEC_LIST,    /* a pointer to structures and a count */
};

enum codec_rule {
    CODEC_ALWAYS,  /* the field is sent */
    CODEC_UNLESS,  /* it is sent if the number is not `absent`, nor larger than `max` */
    CODEC_IF,      /* it is sent if is_sent() says so */
    CODEC_IF_FLAG, /* it is sent if a bool of ours, at `flag`, is true; decoding sets the bool */
};

enum { CODEC_INNER_BYTES_MAX = 512 }; /* of a generated structure inside another one */

struct codec_table;

struct codec_field {
    enum codec_kind kind;
    enum codec_rule rule;
    uint16_t ours, ours_bytes, ours_count; /* offset and size of the member, offset of its count */
    uint16_t theirs, theirs_has;           /* offset of the field, and of its has_ or n_ */
    uint16_t flag;
    uint64_t absent;   /* what an absent number reads as */
    uint64_t max;      /* largest number, longest list or array; 0: any */
    const char *fault; /* the answer if the value can't be taken; NULL: numbers are not compared with `max` */
    bool (*is_sent)(const void *ours);
    const struct codec_table *table; /* of the structure inside */
};

struct codec_table {
    const ProtobufCMessageDescriptor *type;
    const struct codec_field *fields;
    size_t count;
    size_t ours_bytes;                                /* size of our structure; 0: it is the envelope */
    const char *(*check)(const void *theirs);         /* before decoding: what is wrong, or NULL */
    void (*complete)(const void *theirs, void *ours); /* after decoding: sets what depends on several fields */
};

/* What a kind of request or reply carries: a case of the envelope's oneof. The kind is its index. */
struct codec_body {
    unsigned number; /* of the field in the envelope; 0: there is no such kind */
    size_t ours;     /* offset in struct request or struct reply */
    const struct codec_table *table;
};

/* A new generated structure in the arena, filled from `ours`, a request or a reply; NULL if the arena is full. */
void *codec_encode_body(const struct codec_body *body, const void *ours, struct codec_arena *arena);

/* Fills `ours`, a request or a reply that is zero so far. Returns what is wrong with the message, or NULL. */
const char *codec_decode_body(const struct codec_body *body, const void *theirs, struct codec_arena *arena, void *ours);

/* Whether any message of this body is short enough for a frame, so that none need be measured. */
bool codec_is_short(const struct codec_body *body);

/* The longest packed message with that body: MESSAGE_BYTES_MAX unless it is short. */
size_t codec_bytes_max(const struct codec_body *body);

/* The kind that has this number; 0 if none has. */
size_t codec_find_body(const struct codec_body *bodies, size_t count, unsigned number);

/* ---- the vocabulary of tables: the first argument, `t`, is the table's name ---- */

/* The array of fields follows. */
#define CODEC_FIELDS(t, our_type, their_type)                                                                          \
    typedef our_type t##_ours;                                                                                         \
    typedef Membroker__V1__##their_type t##_theirs;                                                                    \
    static const struct codec_field t##_fields[]

/* `lower` is protobuf-c's name of the type; .check and .complete may follow. */
#define CODEC_TABLE(t, lower, ...)                                                                                     \
    static const struct codec_table t##_table = {.type = &membroker__v1__##lower##__descriptor,                        \
                                                 .fields = t##_fields,                                                 \
                                                 .count = sizeof t##_fields / sizeof *t##_fields,                      \
                                                 .ours_bytes = sizeof(t##_ours),                                       \
                                                 __VA_ARGS__}

/* A message without any field, and one whose only field is a number that is a member of the envelope itself. */
#define CODEC_EMPTY(t, lower)                                                                                          \
    static const struct codec_table t##_table = {.type = &membroker__v1__##lower##__descriptor}
#define CODEC_SINGLE(t, our_type, their_type, lower, member, field)                                                    \
    CODEC_FIELDS(t, our_type, their_type) = {NUMBER_AS(t, member, field)};                                             \
    static const struct codec_table t##_table = {                                                                      \
        .type = &membroker__v1__##lower##__descriptor, .fields = t##_fields, .count = 1}

/* Options, which follow a field's names. */
#define UNLESS(value)           .rule = CODEC_UNLESS, .absent = (value)
#define IF(predicate)           .rule = CODEC_IF, .is_sent = (predicate)
#define IF_FLAG(t, member)      .rule = CODEC_IF_FLAG, .flag = offsetof(t##_ours, member)
#define RANGE(largest, problem) .max = (largest), .fault = (problem)

/* One field; the _AS variants are for names that differ: `member` is ours, `field` protobuf-c's. */
#define NUMBER(t, name, ...) NUMBER_AS(t, name, name, __VA_ARGS__)
#define NUMBER_AS(t, member, field, ...)                                                                               \
    CODEC_SCALAR(CODEC_NUMBER_KIND(t##_ours, member), t, member, field,                                                \
                 CODEC_NUMBERS_FIT(CODEC_OF(t##_ours, member), CODEC_OF(t##_theirs, field)), __VA_ARGS__)
#define SIGNED_NUMBER(t, name, ...) /* of ours alone; a negative one is absent */                                      \
    CODEC_SCALAR(CODEC_32, t, name, name, CODEC_IS(t##_ours, name, int32_t), .rule = CODEC_UNLESS,                     \
                 .absent = (uint32_t)-1, .max = INT32_MAX, __VA_ARGS__)
#define TOKEN(t, member, field, ...)                                                                                   \
    CODEC_SCALAR(CODEC_TOKEN, t, member, field, CODEC_IS(t##_ours, member, struct token), __VA_ARGS__)
#define BYTES(t, name, ...) /* none are not sent */                                                                    \
    CODEC_SCALAR(CODEC_BYTES, t, name, name, CODEC_IS(t##_ours, name, struct message_bytes), __VA_ARGS__)
#define TEXT(t, name) TEXT_AS(t, name, name)
#define TEXT_AS(t, member, field)                                                                                      \
    CODEC_POINTER(CODEC_TEXT, t, member, field, char[sizeof CODEC_OF(t##_ours, member)], char *, .max = 0)
#define NAME(t, name, problem) NAME_AS(t, name, name, problem)
#define NAME_AS(t, member, field, problem)                                                                             \
    CODEC_POINTER(CODEC_NAME, t, member, field, char[MESSAGE_NAME_SIZE], char *, .fault = (problem))
#define STRING(t, name) CODEC_POINTER(CODEC_STRING, t, name, name, const char *, char *, .max = 0)
#define MESSAGE(t, name, inner, ...)                                                                                   \
    CODEC_POINTER(CODEC_MESSAGE, t, name, name, inner##_ours, inner##_theirs *, .table = &inner##_table, __VA_ARGS__)

/* Several of the same structure, and the number of them. */
#define LIST(t, member, number, inner, ...)                                                                            \
    CODEC_MANY(CODEC_LIST, t, member, number, member, const inner##_ours *, inner##_theirs **,                         \
               .table = &inner##_table, __VA_ARGS__)
#define ARRAY(t, member, number, inner)                                                                                \
    CODEC_MANY(CODEC_ARRAY, t, member, number, member, inner##_ours[MESSAGE_HOLDERS_MAX], inner##_theirs **,           \
               .table = &inner##_table, .max = MESSAGE_HOLDERS_MAX)
#define STRINGS(t, member, number) STRINGS_AS(t, member, number, member)
#define STRINGS_AS(t, member, number, field)                                                                           \
    CODEC_MANY(CODEC_STRINGS, t, member, number, field, const char *const *, char **, .max = 0)

/* A kind's body, as a member of the envelope; or, of a CODEC_SINGLE or CODEC_EMPTY, as the envelope itself. */
#define CODEC_BODY(id, our_type, member, t)                                                                            \
    {                                                                                                                  \
        .number = (id), .ours = offsetof(our_type, member) + CODEC_MUST(CODEC_IS(our_type, member, t##_ours)),         \
        .table = &t##_table                                                                                            \
    }
#define CODEC_BARE_BODY(id, t)                                                                                         \
    {                                                                                                                  \
        .number = (id), .table = &t##_table                                                                            \
    }

/* What the macros above are made of. CODEC_MUST is 0, or does not compile. */
#define CODEC_OF(type, member)         (((type *)0)->member)
#define CODEC_IS(type, member, wanted) __builtin_types_compatible_p(typeof(CODEC_OF(type, member)), wanted)
#define CODEC_MUST(condition)                                                                                          \
    (0 * sizeof(struct {                                                                                               \
         _Static_assert(condition, "these two types do not go together");                                              \
         char unused;                                                                                                  \
     }))
#define CODEC_NUMBER_KIND(type, member)                                                                                \
    _Generic(CODEC_OF(type, member), bool : CODEC_BOOL, uint64_t : CODEC_64, default : CODEC_32)
/* An enumeration is a uint32_t. */
#define CODEC_NUMBERS_FIT(ours, theirs)                                                                                \
    _Generic((ours), bool                                                                                              \
             : _Generic((theirs), protobuf_c_boolean : 1, default : 0), uint64_t                                       \
             : _Generic((theirs), uint64_t : 1, default : 0), uint32_t                                                 \
             : _Generic((theirs), uint32_t : 1, default : 0), int32_t                                                  \
             : _Generic((theirs), int32_t : 1, default : 0))
#define CODEC_PLACE(kind_, t, member, field, condition)                                                                \
    .kind = (kind_), .ours = offsetof(t##_ours, member) + CODEC_MUST(condition),                                       \
    .ours_bytes = sizeof CODEC_OF(t##_ours, member), .theirs = offsetof(t##_theirs, field)
#define CODEC_SCALAR(kind_, t, member, field, condition, ...)                                                          \
    {                                                                                                                  \
        CODEC_PLACE(kind_, t, member, field, condition), .theirs_has = offsetof(t##_theirs, has_##field), __VA_ARGS__  \
    }
#define CODEC_POINTER(kind_, t, member, field, our_type, their_type, ...)                                              \
    {                                                                                                                  \
        CODEC_PLACE(kind_, t, member, field,                                                                           \
                    CODEC_IS(t##_ours, member, our_type) && CODEC_IS(t##_theirs, field, their_type)),                  \
            __VA_ARGS__                                                                                                \
    }
#define CODEC_MANY(kind_, t, member, number, field, our_type, their_type, ...)                                         \
    {                                                                                                                  \
        CODEC_PLACE(kind_, t, member, field,                                                                           \
                    CODEC_IS(t##_ours, member, our_type) && CODEC_IS(t##_theirs, field, their_type) &&                 \
                        CODEC_IS(t##_ours, number, size_t)),                                                           \
            .ours_count = offsetof(t##_ours, number), .theirs_has = offsetof(t##_theirs, n_##field), __VA_ARGS__       \
    }
