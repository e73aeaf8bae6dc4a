/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of the wire as plain C values. The codec makes them from bytes and bytes from them, the broker's core
 * takes requests and returns replies, and the client library does the reverse. They know of no protobuf and no socket.
 *
 * Unless a comment says otherwise:
 * - sizes are in bytes and durations in milliseconds; a member whose name ends in _bytes or _ms says so again;
 * - strings are NUL-terminated and not NULL; the names in a decoded request have passed name_is_valid();
 * - pointers are borrowed: those of a decoded message point into the codec's arena, and are valid until it is used
 * again;
 * - enumerators have the numbers of membroker.proto. In a request the codec refuses any other number; in a reply it
 * does not, since the broker may be newer.
 *
 * A new member needs a field in membroker.proto and a line in codec_request.c or codec_reply.c.
 */
#pragma once

#include "proto/message_reply.h"
#include "proto/message_request.h"
