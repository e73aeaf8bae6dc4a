/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit, looked at from outside around each step of the fuzzed core: the host's, each client's own, each user's
 * and those of the classes a and b. What is above a limit never becomes more.
 */
#pragma once

#include "tests/unit/core/shell_model.h"

enum { FUZZ_USERS = 5 };

extern const uint32_t fuzz_users[FUZZ_USERS];

/* Rules of each kind; their quotas are the fuzzer's to change. */
extern struct policy fuzz_policy;

void limits_before_step(const struct model *model);

/* `parties_too` false: the accounts of sessions changed in this step. */
void limits_after_step(const struct model *model, bool parties_too);
