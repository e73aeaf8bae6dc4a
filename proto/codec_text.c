/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over a message's wire format, which is a sequence of tagged fields. */
#include "proto/codec_text.h"

#include <string.h>

enum { TYPE_BITS = 3, TYPE_MASK = 7 };

enum wire_type { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_LENGTH = 2, WIRE_32_BITS = 5 };

static uint64_t take_varint(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            break;
        }
    }
    return value;
}

/* Takes what stands before a value, and returns the value's length. */
static uint64_t take_length(unsigned wire_type, const uint8_t **at, const uint8_t *end)
{
    switch (wire_type) {
    case WIRE_VARINT:
        (void)take_varint(at, end);
        return 0;
    case WIRE_LENGTH:
        return take_varint(at, end);
    case WIRE_64_BITS:
        return 8;
    case WIRE_32_BITS:
        return 4;
    default:
        return UINT64_MAX;
    }
}

/* Goes only as deep as the types do, none of which contains itself. */
static bool value_has_nul(const ProtobufCFieldDescriptor *field, const uint8_t *bytes, size_t size)
{
    if (field && field->type == PROTOBUF_C_TYPE_STRING) {
        return memchr(bytes, '\0', size);
    }
    return field && field->type == PROTOBUF_C_TYPE_MESSAGE && codec_text_has_nul(field->descriptor, bytes, size);
}

bool codec_text_has_nul(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size)
{
    const uint8_t *at = bytes, *end = bytes + size;
    while (at < end) {
        uint64_t tag = take_varint(&at, end);
        unsigned wire_type = (unsigned)(tag & TYPE_MASK);
        uint64_t length = take_length(wire_type, &at, end);
        if (length > (size_t)(end - at)) {
            return true; /* what can't be walked is not trusted to have none */
        }
        if (wire_type == WIRE_LENGTH &&
            value_has_nul(protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> TYPE_BITS)), at, length)) {
            return true;
        }
        at += length;
    }
    return false;
}
