/* SPDX-License-Identifier: Apache-2.0 */
/* What most buffers lack, made for those that need it. */
#pragma once

#include "client/buffer/buffer.h"

/* The buffer's extra, made if needed; NULL: out of memory. Only its creator calls this, or weak.c under its lock. */
struct extra *extra_of(mb_buffer *buffer);

/* The buffer ends: frees what extra_of() made. */
void extra_free(mb_buffer *buffer);

/* Enters a buffer with an extra into the heap's list, and removes it. The heap's lock is held. `name` may be NULL. */
void extra_list(mb_buffer *buffer, const char *name);
void extra_unlist(mb_buffer *buffer);
