/* SPDX-License-Identifier: Apache-2.0 */
/* The codec's tables have every field of membroker.proto, each once and as what it is. */
#include <criterion/criterion.h>

#include "membroker.pb-c.h"
#include "proto/codec_tables.h"

TestSuite(codec_tables);

static const struct codec_field *entry_of(const struct codec_table *table, const ProtobufCFieldDescriptor *field)
{
    const struct codec_field *found = NULL;
    for (size_t i = 0; i < table->count; i++) {
        if (table->fields[i].theirs == field->offset) {
            cr_expect_not(found, "%s has two lines for %s", table->type->name, field->name);
            found = &table->fields[i];
        }
    }
    return found;
}

static bool kind_fits(enum codec_kind kind, const ProtobufCFieldDescriptor *field)
{
    bool is_list = field->label == PROTOBUF_C_LABEL_REPEATED;
    switch (kind) {
    case CODEC_BOOL:
        return field->type == PROTOBUF_C_TYPE_BOOL;
    case CODEC_32:
        return field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_INT32 ||
               field->type == PROTOBUF_C_TYPE_ENUM;
    case CODEC_64:
        return field->type == PROTOBUF_C_TYPE_UINT64;
    case CODEC_TEXT:
    case CODEC_NAME:
    case CODEC_STRING:
        return field->type == PROTOBUF_C_TYPE_STRING && !is_list;
    case CODEC_STRINGS:
        return field->type == PROTOBUF_C_TYPE_STRING && is_list;
    case CODEC_TOKEN:
    case CODEC_BYTES:
        return field->type == PROTOBUF_C_TYPE_BYTES;
    case CODEC_MESSAGE:
        return field->type == PROTOBUF_C_TYPE_MESSAGE && !is_list;
    case CODEC_ARRAY:
    case CODEC_LIST:
        return field->type == PROTOBUF_C_TYPE_MESSAGE && is_list;
    }
    return false;
}

static void check_table(const struct codec_table *table)
{
    cr_expect_eq(table->count, table->type->n_fields, "%s", table->type->name);
    for (unsigned i = 0; i < table->type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &table->type->fields[i];
        const struct codec_field *entry = entry_of(table, field);
        cr_assert(entry, "%s has no line for %s", table->type->name, field->name);
        cr_expect(kind_fits(entry->kind, field), "%s of %s is of another kind", field->name, table->type->name);
        cr_expect_eq(entry->theirs_has, field->quantifier_offset, "%s of %s", field->name, table->type->name);
        if (entry->table) {
            cr_expect_eq(entry->table->type, field->descriptor, "%s of %s", field->name, table->type->name);
            cr_expect_leq(field->type == PROTOBUF_C_TYPE_MESSAGE ? entry->table->type->sizeof_message : 0,
                          CODEC_INNER_BYTES_MAX, "%s", entry->table->type->name);
            check_table(entry->table);
        }
    }
}

/* Each case of the envelope's oneof is the body of one kind. */
static void check_bodies(const ProtobufCMessageDescriptor *envelope, const struct codec_body *bodies, size_t kinds)
{
    size_t cases = 0;
    for (unsigned i = 0; i < envelope->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &envelope->fields[i];
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            size_t kind = codec_find_body(bodies, kinds, field->id);
            cases++;
            cr_assert(kind, "no kind has %s", field->name);
            cr_expect_eq(bodies[kind].table->type, field->descriptor, "%s", field->name);
            check_table(bodies[kind].table);
        }
    }
    cr_expect_eq(cases, kinds - 1, "a kind has no body, or two have one");
    cr_expect_not(bodies[0].table);
}

Test(codec_tables, every_field_of_a_request_has_one_line)
{
    check_bodies(&membroker__v1__client_message__descriptor, codec_request_bodies, REQUEST_KINDS);
}

Test(codec_tables, every_field_of_an_answer_or_event_has_one_line)
{
    check_bodies(&membroker__v1__daemon_message__descriptor, codec_reply_bodies, REPLY_KINDS);
}

/* ---- messages that are short are not measured before they are packed ---- */

static size_t longest(const ProtobufCMessageDescriptor *type, const struct codec_table *table)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < type->n_fields; i++) {
        bool has_bytes =
            type->fields[i].type == PROTOBUF_C_TYPE_STRING || type->fields[i].type == PROTOBUF_C_TYPE_BYTES;
        bytes += 12U + (has_bytes ? entry_of(table, &type->fields[i])->ours_bytes : 0U);
    }
    return bytes;
}

static bool is_flat(const ProtobufCMessageDescriptor *type)
{
    bool is_flat = true;
    for (unsigned i = 0; i < type->n_fields; i++) {
        is_flat = is_flat && type->fields[i].type != PROTOBUF_C_TYPE_MESSAGE &&
                  type->fields[i].label != PROTOBUF_C_LABEL_REPEATED;
    }
    return is_flat;
}

static void check_short(const struct codec_body *bodies, size_t kinds)
{
    enum { ENVELOPE_BYTES = 64 };
    for (size_t kind = 0; kind < kinds; kind++) {
        const struct codec_table *table = bodies[kind].table;
        if (table && codec_is_short(&bodies[kind])) {
            cr_expect(is_flat(table->type), "%s", table->type->name);
            cr_expect_lt(ENVELOPE_BYTES + longest(table->type, table), MESSAGE_BYTES_MAX, "%s", table->type->name);
        }
    }
}

Test(codec_tables, what_counts_as_short_fits_a_frame_whatever_it_says)
{
    check_short(codec_request_bodies, REQUEST_KINDS);
    check_short(codec_reply_bodies, REPLY_KINDS);
    cr_expect(codec_is_short(&codec_request_bodies[REQUEST_ACQUIRE]));
    cr_expect(codec_is_short(&codec_reply_bodies[REPLY_GRANT]));
    cr_expect_not(codec_is_short(&codec_request_bodies[REQUEST_RENEW]), "it has a list");
    cr_expect_not(codec_is_short(&codec_reply_bodies[REPLY_ERROR]), "it has a structure");
    cr_expect_not(codec_is_short(&codec_reply_bodies[REPLY_WELCOME]), "it has a text of any length");
}
