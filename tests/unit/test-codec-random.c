/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random messages, made from protobuf-c's description of membroker.proto and not from the codec's tables: what is
 * decoded and encoded again must be the same bytes. So no field can be forgotten, taken for another, or cut.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "membroker.pb-c.h"
#include "proto/codec.h"

TestSuite(codec_random);

enum { ROUNDS = 300, MEMORY_BYTES = 1 << 16 };

static struct codec_arena arena;
static unsigned seed = 1;

/* Holds one message at a time. */
static char memory[MEMORY_BYTES];
static size_t memory_used;

static void *take(size_t bytes)
{
    void *taken = memory + memory_used;
    memory_used += (bytes + 15) & ~(size_t)15;
    cr_assert_leq(memory_used, sizeof memory);
    return taken;
}

static uint32_t draw(uint32_t below)
{
    return (uint32_t)rand_r(&seed) % below;
}

/* Not 0, so that it is sent whatever the field's rule is; a limit of UINT64_MAX would be none. */
static uint64_t draw_number(void)
{
    uint64_t number = (uint64_t)rand_r(&seed) << 32 | (uint64_t)rand_r(&seed);
    return 1 + (number >> draw(62));
}

static char *draw_text(void)
{
    char *text = take(32);
    size_t length = 1 + draw(30);
    for (size_t i = 0; i < length; i++) {
        text[i] = (char)('a' + draw(26));
    }
    text[length] = '\0';
    return text;
}

static void *draw_message(const ProtobufCMessageDescriptor *type);

/* Writes a value of the field's type to `at`. */
static void draw_value(const ProtobufCFieldDescriptor *field, void *at)
{
    uint64_t number = draw_number();
    int32_t small = 1 + (int32_t)(number % INT32_MAX);
    static uint8_t token_bytes[MESSAGE_TOKEN_SIZE] = "0123456789abcde";
    ProtobufCBinaryData token = {sizeof token_bytes, token_bytes};
    if (field->type == PROTOBUF_C_TYPE_UINT64) {
        memcpy(at, &number, sizeof number);
    } else if (field->type == PROTOBUF_C_TYPE_BOOL || field->type == PROTOBUF_C_TYPE_ENUM) {
        memcpy(at, &(int32_t){1}, sizeof(int32_t)); /* LOCATION_RAM: the location that has most fields */
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        *(char **)at = draw_text();
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        memcpy(at, &token, sizeof token);
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        *(void **)at = draw_message(field->descriptor);
    } else {
        memcpy(at, &small, sizeof small);
    }
}

static void draw_list(const ProtobufCFieldDescriptor *field, char *message)
{
    size_t count = 1 + draw(MESSAGE_HOLDERS_MAX);
    void **entries = take(count * sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        draw_value(field, &entries[i]);
    }
    *(void ***)(message + field->offset) = entries;
    memcpy(message + field->quantifier_offset, &count, sizeof count);
}

/* Sent instead of another one. */
static bool is_alternative(const ProtobufCFieldDescriptor *field)
{
    return strcmp(field->name, "sharing_limit_kind") == 0;
}

/* Every field is there, of alternatives the first. */
static void *draw_message(const ProtobufCMessageDescriptor *type)
{
    char *message = take(type->sizeof_message);
    protobuf_c_message_init(type, message);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            draw_list(field, message);
            continue;
        }
        if (is_alternative(field)) {
            continue;
        }
        draw_value(field, message + field->offset);
        if (field->quantifier_offset) {
            memcpy(message + field->quantifier_offset, &(protobuf_c_boolean){1}, sizeof(protobuf_c_boolean));
        }
    }
    return message;
}

/* Draws the envelope's body of this case, and packs it as a frame. */
static int draw_frame(ProtobufCMessage *envelope, const ProtobufCFieldDescriptor *body, uint8_t *frame)
{
    memory_used = 0;
    *(void **)((char *)envelope + body->offset) = draw_message(body->descriptor);
    memcpy((char *)envelope + body->quantifier_offset, &body->id, sizeof body->id);
    size_t bytes = protobuf_c_message_pack(envelope, frame + FRAME_HEADER_BYTES);
    frame_write_header(frame, bytes);
    return (int)(FRAME_HEADER_BYTES + bytes);
}

static uint8_t sent[FRAME_BYTES_MAX], back[FRAME_BYTES_MAX];

static void expect_same(int sent_bytes, int back_bytes, const char *what)
{
    cr_assert_eq(back_bytes, sent_bytes, "%s", what);
    cr_assert_arr_eq(back, sent, (size_t)sent_bytes, "%s", what);
}

static void check_request(const ProtobufCFieldDescriptor *body)
{
    Membroker__V1__ClientMessage envelope = MEMBROKER__V1__CLIENT_MESSAGE__INIT;
    struct request request;
    const char *fault = "";
    envelope.has_id = 1;
    envelope.id = draw_number();
    int bytes = draw_frame(&envelope.base, body, sent);
    int result =
        codec_decode_request(sent + FRAME_HEADER_BYTES, (size_t)bytes - FRAME_HEADER_BYTES, &arena, &request, &fault);
    cr_assert_eq(result, 0, "%s: %s", body->name, fault);
    static struct codec_arena other;
    expect_same(bytes, codec_encode_request(&request, &other, back), body->name);
    cr_assert_leq((size_t)bytes, codec_request_frame_max(&request), "%s", body->name);
}

static void check_reply(const ProtobufCFieldDescriptor *body)
{
    Membroker__V1__DaemonMessage envelope = MEMBROKER__V1__DAEMON_MESSAGE__INIT;
    struct reply reply;
    envelope.has_reply_to = envelope.has_descriptors = 1;
    envelope.reply_to = draw_number();
    envelope.descriptors = 1 + draw(3);
    int bytes = draw_frame(&envelope.base, body, sent);
    int result = codec_decode_reply(sent + FRAME_HEADER_BYTES, (size_t)bytes - FRAME_HEADER_BYTES, &arena, &reply);
    cr_assert_eq(result, 0, "%s", body->name);
    static struct codec_arena other;
    expect_same(bytes, codec_encode_reply(&reply, &other, back), body->name);
}

static void check_all(const ProtobufCMessageDescriptor *envelope, void (*check)(const ProtobufCFieldDescriptor *body))
{
    for (unsigned i = 0; i < ROUNDS * envelope->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &envelope->fields[i % envelope->n_fields];
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            check(field);
        }
    }
}

Test(codec_random, a_request_with_every_field_comes_back_byte_by_byte)
{
    check_all(&membroker__v1__client_message__descriptor, check_request);
}

Test(codec_random, an_answer_or_event_with_every_field_comes_back_byte_by_byte)
{
    check_all(&membroker__v1__daemon_message__descriptor, check_reply);
}
