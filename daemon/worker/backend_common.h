/* SPDX-License-Identifier: Apache-2.0 */
/* What several backends do alike. backend.h says what each of these is for. */
#pragma once

#include "daemon/worker/backend.h"

bool backend_common_is_never_quick(const struct job *job);
int backend_common_look(int fd, struct job_result *ret);

/* Every block is allocated. */
bool backend_common_is_whole(uint64_t length, const struct inode_view *view);

/* Its length is what was granted. */
uint64_t backend_common_adopt(uint64_t bytes, uint64_t file_bytes);
