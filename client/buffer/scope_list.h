/* SPDX-License-Identifier: Apache-2.0 */
/* The list of the buffers that a buffer scope holds. Only the scope's thread uses it. */
#pragma once

#include "client/buffer/buffer.h"

/* False: out of memory. */
bool scope_list_add(mb_buffer_scope *scope, mb_buffer *buffer);
void scope_list_remove(mb_buffer *buffer);
