/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over a message's wire format, which is a sequence of tagged fields. */
#include "proto/codec_text.h"

#include <string.h>

enum { VARINT_BYTES_MAX = 10, TYPE_BITS = 3, TYPE_MASK = 7 };

enum wire_type { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_LENGTH = 2, WIRE_32_BITS = 5 };

struct walk {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct walk *walk, uint64_t bytes)
{
    if (bytes > walk->left) {
        return false;
    }
    walk->at += bytes;
    walk->left -= bytes;
    return true;
}

static bool take_varint(struct walk *walk, uint64_t *ret)
{
    *ret = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && walk->left > 0; i++) {
        uint8_t byte = *walk->at;
        (void)skip(walk, 1);
        *ret |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            return true;
        }
    }
    return false;
}

static bool skip_scalar(struct walk *walk, unsigned type)
{
    uint64_t ignored;
    return type == WIRE_VARINT    ? take_varint(walk, &ignored)
           : type == WIRE_64_BITS ? skip(walk, 8)
                                  : type == WIRE_32_BITS && skip(walk, 4);
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
    struct walk walk = {bytes, size};
    uint64_t tag, length;
    while (walk.left > 0 && take_varint(&walk, &tag)) {
        unsigned wire = (unsigned)(tag & TYPE_MASK);
        if (wire != WIRE_LENGTH) {
            if (!skip_scalar(&walk, wire)) {
                break;
            }
            continue;
        }
        const uint8_t *value = take_varint(&walk, &length) ? walk.at : NULL;
        if (!value || !skip(&walk, length)) {
            break;
        }
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> TYPE_BITS));
        if (value_has_nul(field, value, (size_t)length)) {
            return true;
        }
    }
    return walk.left > 0; /* what can't be walked is not trusted to have none */
}
