/* SPDX-License-Identifier: Apache-2.0 */
/* The frame header, written and checked. */
#include "proto/frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

void frame_write_header(uint8_t header[FRAME_HEADER_BYTES], size_t payload)
{
    uint32_t little = htole32((uint32_t)payload);
    memcpy(header, &little, sizeof little);
}

int frame_open(const uint8_t *packet, size_t bytes, const uint8_t **ret_payload, size_t *ret_payload_bytes)
{
    uint32_t little;
    if (bytes < FRAME_HEADER_BYTES) {
        return -EBADMSG;
    }
    memcpy(&little, packet, sizeof little);
    size_t promised = le32toh(little);
    if (promised > MESSAGE_BYTES_MAX) {
        return -EMSGSIZE;
    }
    if (promised != bytes - FRAME_HEADER_BYTES) {
        return -EBADMSG;
    }
    *ret_payload = packet + FRAME_HEADER_BYTES;
    *ret_payload_bytes = promised;
    return 0;
}
