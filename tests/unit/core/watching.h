/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by tests of watches: they watch the names of user 1000, who is OWNER and TWIN; OTHER is another user. */
#pragma once

#include "tests/unit/core/sharing.h"

enum { OWNER, OTHER, TWIN, WAIT_MS = 10000 };

extern struct model *model; /* of the test that runs */

void watching_begin(void);
void watching_end(void);

/* Asks for a list (after 0) or for changes, and returns the request. */
uint64_t ask_to_watch(int peer, const char *prefix, uint64_t after, const char *after_name, uint32_t wait_ms);

/* A request's answer; fails the test if it is none. */
const struct block_changes_reply *answered(uint64_t request);
const struct block_changes_reply *list(int peer, const char *prefix);

/* As "+name" and "-name:reason", in a row. */
void expect_changes(const struct block_changes_reply *reply, const char *expected);

/* OWNER's block, which stays. Returns its lease. */
uint64_t publish_for(const char *name, enum block_access access, uint32_t gid, bool replace);

/* The same for everybody, without its lease. */
void publish(const char *name);
