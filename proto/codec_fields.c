/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the tables in both directions. Pointers are copied as bytes: protobuf-c's are not to const, ours are. */
#include "proto/codec_fields.h"

#include <string.h>

#include "proto/base/text.h"
#include "proto/name.h"

enum {
    FIELD_BYTES_MAX = 12,    /* of a number or the head of a text: two bytes of tag, ten of varint */
    ENVELOPE_FIELDS_MAX = 8, /* what stands around a body */
};

static const char no_room[] = "the message needs too much memory";

/* Reads and writes a member of this type, by its offset. */
#define MEMBER_OF_TYPE(type, name)                                                                                     \
    static inline type name##_at(const void *structure, size_t offset)                                                 \
    {                                                                                                                  \
        type value;                                                                                                    \
        memcpy(&value, (const char *)structure + offset, sizeof value);                                                \
        return value;                                                                                                  \
    }                                                                                                                  \
    static inline void set_##name(void *structure, size_t offset, type value)                                          \
    {                                                                                                                  \
        memcpy((char *)structure + offset, &value, sizeof value);                                                      \
    }

MEMBER_OF_TYPE(bool, bool)
MEMBER_OF_TYPE(protobuf_c_boolean, has)
MEMBER_OF_TYPE(uint32_t, number)
MEMBER_OF_TYPE(uint64_t, wide_number)
MEMBER_OF_TYPE(size_t, size)
MEMBER_OF_TYPE(const void *, pointer)

/* ---- numbers ---- */

static uint64_t our_number(const struct codec_field *field, const char *ours)
{
    return field->kind == CODEC_64   ? wide_number_at(ours, field->ours)
           : field->kind == CODEC_32 ? number_at(ours, field->ours)
                                     : bool_at(ours, field->ours);
}

static void encode_number(const struct codec_field *field, uint32_t number, char *theirs)
{
    set_number(theirs, field->theirs, number);
    set_has(theirs, field->theirs_has, true);
}

static void encode_wide_number(const struct codec_field *field, uint64_t number, char *theirs)
{
    set_wide_number(theirs, field->theirs, number);
    set_has(theirs, field->theirs_has, true);
}

/* Returns what is wrong with the number, or NULL. */
static const char *check_number(const struct codec_field *field, const char *theirs, uint64_t *number)
{
    if (field->rule == CODEC_UNLESS && !has_at(theirs, field->theirs_has)) {
        *number = field->absent;
        return NULL;
    }
    return field->fault && *number > field->max ? field->fault : NULL;
}

static const char *decode_number(const struct codec_field *field, const char *theirs, char *ours)
{
    uint64_t number = number_at(theirs, field->theirs);
    const char *fault = check_number(field, theirs, &number);
    set_number(ours, field->ours, (uint32_t)number);
    return fault;
}

static const char *decode_wide_number(const struct codec_field *field, const char *theirs, char *ours)
{
    uint64_t number = wide_number_at(theirs, field->theirs);
    const char *fault = check_number(field, theirs, &number);
    set_wide_number(ours, field->ours, number);
    return fault;
}

/* ---- texts ---- */

/* An empty text is not sent. */
static void encode_text(const struct codec_field *field, const char *text, void *theirs)
{
    if (text && *text) {
        set_pointer(theirs, field->theirs, text);
    }
}

static const char *decode_name(const struct codec_field *field, const char *name, char *ours)
{
    if (name && !name_is_valid(name)) {
        return field->fault;
    }
    if (name) {
        memcpy(ours + field->ours, name, strlen(name) + 1);
    }
    return NULL;
}

static bool encode_strings(const struct codec_field *field, const void *ours, struct codec_arena *arena, void *theirs)
{
    size_t count = size_at(ours, field->ours_count);
    const char **strings = codec_arena_allocate(arena, count, sizeof *strings);
    if (!strings) {
        return false;
    }
    if (count) {
        memcpy(strings, pointer_at(ours, field->ours), count * sizeof *strings);
    }
    set_pointer(theirs, field->theirs, strings);
    set_size(theirs, field->theirs_has, count);
    return true;
}

static void encode_token(const struct codec_field *field, const char *ours, char *theirs)
{
    ProtobufCBinaryData token = {.len = MESSAGE_TOKEN_SIZE};
    set_pointer(&token, offsetof(ProtobufCBinaryData, data), ours + field->ours);
    memcpy(theirs + field->theirs, &token, sizeof token);
    set_has(theirs, field->theirs_has, true);
}

/* Whether a token of another length is a fault, the table's check says. */
static void decode_token(const struct codec_field *field, const char *theirs, char *ours)
{
    ProtobufCBinaryData token;
    memcpy(&token, theirs + field->theirs, sizeof token);
    if (has_at(theirs, field->theirs_has) && token.len == MESSAGE_TOKEN_SIZE) {
        memcpy(ours + field->ours, token.data, MESSAGE_TOKEN_SIZE);
    }
}

/* The arena, or whoever sends, owns the bytes. */
static void encode_bytes(const struct codec_field *field, const char *ours, char *theirs)
{
    struct message_bytes bytes;
    memcpy(&bytes, ours + field->ours, sizeof bytes);
    ProtobufCBinaryData data = {.len = bytes.count};
    set_pointer(&data, offsetof(ProtobufCBinaryData, data), bytes.data);
    memcpy(theirs + field->theirs, &data, sizeof data);
    set_has(theirs, field->theirs_has, bytes.count > 0);
}

static const char *decode_bytes(const struct codec_field *field, const char *theirs, char *ours)
{
    ProtobufCBinaryData data;
    memcpy(&data, theirs + field->theirs, sizeof data);
    struct message_bytes bytes = {data.data, has_at(theirs, field->theirs_has) ? data.len : 0};
    memcpy(ours + field->ours, &bytes, sizeof bytes);
    return bytes.count > field->max ? field->fault : NULL;
}

/* ---- structures ---- */

static void *new_message(const struct codec_table *table, const char *ours, struct codec_arena *arena);
static bool encode_fields(const struct codec_table *table, const char *ours, struct codec_arena *arena, char *theirs);
static const char *decode_fields(const struct codec_table *table, const char *theirs, struct codec_arena *arena,
                                 char *ours);

static bool encode_message(const struct codec_field *field, const char *ours, struct codec_arena *arena, void *theirs)
{
    const void *message = new_message(field->table, ours + field->ours, arena);
    set_pointer(theirs, field->theirs, message);
    return message;
}

static const char *decode_message(const struct codec_field *field, const void *message, struct codec_arena *arena,
                                  char *ours)
{
    static const _Alignas(16) char no_field[CODEC_INNER_BYTES_MAX];
    return decode_fields(field->table, message ? message : no_field, arena, ours + field->ours);
}

static bool encode_many(const struct codec_field *field, const void *ours, const char *entries,
                        struct codec_arena *arena, void *theirs)
{
    const struct codec_table *table = field->table;
    size_t count = size_at(ours, field->ours_count);
    char *messages = codec_arena_allocate(arena, count, table->type->sizeof_message);
    void **pointers = codec_arena_allocate(arena, count, sizeof *pointers);
    if (!messages || !pointers) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        pointers[i] = messages + i * table->type->sizeof_message;
        protobuf_c_message_init(table->type, pointers[i]);
        if (!encode_fields(table, entries + i * table->ours_bytes, arena, pointers[i])) {
            return false;
        }
    }
    set_pointer(theirs, field->theirs, pointers);
    set_size(theirs, field->theirs_has, count);
    return true;
}

static const char *decode_many(const struct codec_field *field, const void *theirs, size_t count,
                               struct codec_arena *arena, char *entries)
{
    const void *pointers = pointer_at(theirs, field->theirs);
    const char *fault = NULL;
    for (size_t i = 0; i < count && !fault; i++) {
        fault = decode_fields(field->table, pointer_at(pointers, i * sizeof(void *)), arena,
                              entries + i * field->table->ours_bytes);
    }
    return fault;
}

static const char *decode_list(const struct codec_field *field, const void *theirs, struct codec_arena *arena,
                               void *ours)
{
    size_t count = size_at(theirs, field->theirs_has);
    char *entries = codec_arena_allocate(arena, count, field->table->ours_bytes);
    if (!entries || (field->max && count > field->max)) {
        return field->fault ? field->fault : no_room;
    }
    memset(entries, 0, count * field->table->ours_bytes);
    set_pointer(ours, field->ours, entries);
    set_size(ours, field->ours_count, count);
    return decode_many(field, theirs, count, arena, entries);
}

static const char *decode_array(const struct codec_field *field, const void *theirs, struct codec_arena *arena,
                                char *ours)
{
    size_t count = size_at(theirs, field->theirs_has);
    count = count < field->max ? count : field->max;
    set_size(ours, field->ours_count, count);
    return decode_many(field, theirs, count, arena, ours + field->ours);
}

/* ---- each field by its kind ---- */

static bool encode_field(const struct codec_field *field, const char *ours, struct codec_arena *arena, char *theirs)
{
    switch (field->kind) {
    case CODEC_BOOL:
        encode_number(field, bool_at(ours, field->ours), theirs);
        return true;
    case CODEC_32:
        encode_number(field, number_at(ours, field->ours), theirs);
        return true;
    case CODEC_64:
        encode_wide_number(field, wide_number_at(ours, field->ours), theirs);
        return true;
    case CODEC_TEXT:
    case CODEC_NAME:
        encode_text(field, ours + field->ours, theirs);
        return true;
    case CODEC_STRING:
        encode_text(field, pointer_at(ours, field->ours), theirs);
        return true;
    case CODEC_TOKEN:
        encode_token(field, ours, theirs);
        return true;
    case CODEC_BYTES:
        encode_bytes(field, ours, theirs);
        return true;
    case CODEC_MESSAGE:
        return encode_message(field, ours, arena, theirs);
    case CODEC_ARRAY:
        return encode_many(field, ours, ours + field->ours, arena, theirs);
    case CODEC_LIST:
        return encode_many(field, ours, pointer_at(ours, field->ours), arena, theirs);
    case CODEC_STRINGS:
        return encode_strings(field, ours, arena, theirs);
    }
    return false;
}

static const char *decode_field(const struct codec_field *field, const char *theirs, struct codec_arena *arena,
                                char *ours)
{
    const char *text;
    switch (field->kind) {
    case CODEC_BOOL:
        set_bool(ours, field->ours, number_at(theirs, field->theirs));
        return NULL;
    case CODEC_32:
        return decode_number(field, theirs, ours);
    case CODEC_64:
        return decode_wide_number(field, theirs, ours);
    case CODEC_TEXT:
        text_copy(ours + field->ours, field->ours_bytes, pointer_at(theirs, field->theirs));
        return NULL;
    case CODEC_NAME:
        return decode_name(field, pointer_at(theirs, field->theirs), ours);
    case CODEC_STRING:
        text = pointer_at(theirs, field->theirs);
        set_pointer(ours, field->ours, text ? text : "");
        return NULL;
    case CODEC_TOKEN:
        decode_token(field, theirs, ours);
        return NULL;
    case CODEC_BYTES:
        return decode_bytes(field, theirs, ours);
    case CODEC_MESSAGE:
        return decode_message(field, pointer_at(theirs, field->theirs), arena, ours);
    case CODEC_ARRAY:
        return decode_array(field, theirs, arena, ours);
    case CODEC_LIST:
        return decode_list(field, theirs, arena, ours);
    case CODEC_STRINGS:
        set_pointer(ours, field->ours, pointer_at(theirs, field->theirs));
        set_size(ours, field->ours_count, size_at(theirs, field->theirs_has));
        return NULL;
    }
    return NULL;
}

static bool is_sent(const struct codec_field *field, const char *ours)
{
    uint64_t number;
    switch (field->rule) {
    case CODEC_ALWAYS:
        return true;
    case CODEC_UNLESS:
        number = our_number(field, ours);
        return number != field->absent && (!field->max || number <= field->max);
    case CODEC_IF:
        return field->is_sent(ours);
    case CODEC_IF_FLAG:
        return bool_at(ours, field->flag);
    }
    return false;
}

static bool encode_fields(const struct codec_table *table, const char *ours, struct codec_arena *arena, char *theirs)
{
    const struct codec_field *fields = table->fields;
    for (size_t i = 0, count = table->count; i < count; i++) {
        const struct codec_field *field = &fields[i];
        if (is_sent(field, ours) && !encode_field(field, ours, arena, theirs)) {
            return false;
        }
    }
    return true;
}

static void *new_message(const struct codec_table *table, const char *ours, struct codec_arena *arena)
{
    void *message = codec_arena_allocate(arena, 1, table->type->sizeof_message);
    if (message) {
        protobuf_c_message_init(table->type, message);
    }
    return message && encode_fields(table, ours, arena, message) ? message : NULL;
}

static const char *decode_fields(const struct codec_table *table, const char *theirs, struct codec_arena *arena,
                                 char *ours)
{
    const char *fault = table->check ? table->check(theirs) : NULL;
    const struct codec_field *fields = table->fields;
    for (size_t i = 0, count = table->count; i < count && !fault; i++) {
        const struct codec_field *field = &fields[i];
        if (field->rule == CODEC_IF_FLAG) {
            set_bool(ours, field->flag, has_at(theirs, field->theirs_has));
        }
        fault = decode_field(field, theirs, arena, ours);
    }
    if (!fault && table->complete) {
        table->complete(theirs, ours);
    }
    return fault;
}

/* ---- bodies ---- */

void *codec_encode_body(const struct codec_body *body, const void *ours, struct codec_arena *arena)
{
    return body->table ? new_message(body->table, (const char *)ours + body->ours, arena) : NULL;
}

const char *codec_decode_body(const struct codec_body *body, const void *theirs, struct codec_arena *arena, void *ours)
{
    return body->table ? decode_fields(body->table, theirs, arena, (char *)ours + body->ours) : NULL;
}

size_t codec_bytes_max(const struct codec_body *body)
{
    const struct codec_table *table = body->table;
    size_t count = table ? table->count : 0;
    for (size_t i = 0; i < count; i++) {
        if (table->fields[i].kind > CODEC_TOKEN) {
            return MESSAGE_BYTES_MAX;
        }
    }
    size_t bytes = FIELD_BYTES_MAX * (count + ENVELOPE_FIELDS_MAX) + (count ? table->ours_bytes : 0);
    return bytes < MESSAGE_BYTES_MAX ? bytes : MESSAGE_BYTES_MAX;
}

bool codec_is_short(const struct codec_body *body)
{
    return codec_bytes_max(body) < MESSAGE_BYTES_MAX;
}

size_t codec_find_body(const struct codec_body *bodies, size_t count, unsigned number)
{
    for (size_t kind = 1; kind < count; kind++) {
        if (bodies[kind].number == number) {
            return kind;
        }
    }
    return 0;
}
