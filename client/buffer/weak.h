/* SPDX-License-Identifier: Apache-2.0 */
/* Weak references, as the buffer itself sees them. */
#pragma once

#include "client/buffer/buffer.h"

/* The buffer is going: its weak references yield nothing from now on. */
void weak_cut(mb_buffer *buffer);
