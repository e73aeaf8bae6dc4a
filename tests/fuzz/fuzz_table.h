/* SPDX-License-Identifier: Apache-2.0 */
/* How an input of the table's fuzzer is laid out: the header's first bytes, then records. */
#pragma once

enum { TABLE_HEADER_BYTES = 4096, FUZZ_TABLE_HEAD_BYTES = 64, FUZZ_TABLE_VERSION_AT = 8 };
