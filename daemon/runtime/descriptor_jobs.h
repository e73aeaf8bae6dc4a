/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs with descriptors that are no segment's, or no more: what workers close, free and tidy. */
#pragma once

#include <stdint.h>

#include "daemon/runtime/segment_index.h"

struct server;

/* Has what a crash left in the spill directory removed. */
void descriptors_tidy(struct server *server);

/* A descriptor that an earlier daemon may have kept under this letter, and no record explains: its memory is given
 * back, unless it is a program's own or was never ours. Takes the descriptor. */
void descriptor_end_unexplained(struct server *server, char kept_as, int fd);

/* Closes a descriptor of a segment, which may be the last one, in the user's lane. Takes the descriptor. */
void descriptor_close_later(struct server *server, uint32_t user, int fd);

/* The same with a copy of a descriptor that this segment lends. */
void descriptor_close_copy_later(struct server *server, uint32_t user, int fd, struct segment_mark lender);
