/* SPDX-License-Identifier: Apache-2.0 */
/* Weak references, as the buffer itself sees them. */
#pragma once

#include "client/buffer/buffer.h"

/* The buffer is going: its weak references yield nothing from now on. In a forked child nothing happens. */
void weak_cut(mb_buffer *buffer);

/* False: it has weak references. Otherwise it becomes a buffer that never had any. The caller must have the only
 * reference: a thread that drops one relies on BUFFER_WEAK to stay. */
bool weak_clear_unused(mb_buffer *buffer);
