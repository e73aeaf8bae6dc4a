/* SPDX-License-Identifier: Apache-2.0 */
/* Small numbers for heaps: no two heaps that exist have the same one. A buffer's record has room for no more. */
#pragma once

#include <stdint.h>

enum { TAG_NONE = 0, TAG_UNBOUND = UINT16_MAX /* of a cache without a heap */ };

/* TAG_NONE: all are taken. */
uint16_t tag_take(void);

/* TAG_NONE is allowed. */
void tag_give(uint16_t tag);
