/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations in debug mode BYPASS_EVERYTHING: tracked buffers that live until the workspace is closed. */
#pragma once

#include "client/workspace/workspace.h"

/* NULL with the sentence set and the code in errno. */
void *bypass_alloc(mb_workspace *workspace, size_t bytes, size_t alignment, unsigned flags);

void bypass_free_all(mb_workspace *workspace);
