/* SPDX-License-Identifier: Apache-2.0 */
/* Weak references, as the buffer itself sees them. */
#pragma once

#include "client/buffer/buffer.h"

/* The buffer is going: its weak references yield nothing from now on. In a forked child nothing happens. */
void weak_cut(mb_buffer *buffer);

/* False: it has weak references. If it has none any more, it becomes a buffer that never had any. Only whoever has the
 * sole reference may call this: while another thread drops references it relies on BUFFER_WEAK to stay. */
bool weak_clear_unused(mb_buffer *buffer);
