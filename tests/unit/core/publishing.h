/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by tests of blocks: user 1000's blocks of a mebibyte, for everybody. */
#pragma once

#include "tests/unit/core/sharing.h"

/* A lease that can be published. */
uint64_t publishable(struct model *model, int peer);

/* Publishes it; keep_ms 0: no time is set. */
const struct reply *publish_lease(struct model *model, int peer, uint64_t lease, const char *name,
                                  enum lifetime lifetime, uint32_t keep_ms);

/* A new block. Returns its publisher's lease. */
uint64_t publish_block(struct model *model, int peer, const char *name, enum lifetime lifetime);

/* A new block whose publisher has let go of it: LIFETIME_KEEP or LIFETIME_CACHE. */
void leave_block(struct model *model, int peer, const char *name, enum lifetime lifetime);

/* A request for user 1000's block. */
struct request attachment(const char *name, uint32_t wait_ms);
const struct reply *attach_block(struct model *model, int peer, const char *name, uint32_t wait_ms);
const struct reply *unpublish_block(struct model *model, int peer, const char *name);
