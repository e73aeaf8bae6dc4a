/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing: a frame is one packet of a SOCK_SEQPACKET socket, a 32-bit little-endian payload length
 * followed by exactly that many bytes of protobuf. The length says again what the packet already
 * says, so that a truncated or padded packet is noticed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/message.h"

enum { FRAME_HEADER_BYTES = 4, FRAME_BYTES_MAX = FRAME_HEADER_BYTES + MESSAGE_BYTES_MAX };

/* Writes the header for a payload of `payload` bytes, at most MESSAGE_BYTES_MAX. */
void frame_write_header(uint8_t header[FRAME_HEADER_BYTES], size_t payload);

/*
 * Checks a received packet. Returns 0 and the payload, which lies inside `packet`; -EMSGSIZE when the
 * header promises more than MESSAGE_BYTES_MAX; -EBADMSG when it and the packet disagree.
 */
int frame_open(const uint8_t *packet, size_t bytes, const uint8_t **ret_payload, size_t *ret_payload_bytes);
