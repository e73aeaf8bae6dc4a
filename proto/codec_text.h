/* SPDX-License-Identifier: Apache-2.0 */
/* What protobuf-c hides: a string's length. For the codec's own files only. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/*
 * Whether some string field of this encoded message, or of one inside it, has a NUL byte: unpacked it would end there,
 * and two texts would read as one. The bytes must be a message that protobuf-c has unpacked.
 */
bool codec_text_has_nul(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size);
