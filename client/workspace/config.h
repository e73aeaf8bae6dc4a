/* SPDX-License-Identifier: Apache-2.0 */
/* A workspace's configuration. */
#pragma once

#include <stdbool.h>

#include "client/workspace/cycle.h"
#include "membroker.h"

/* Checks a configuration and fills in what depends on the rest of it. Returns 0, or -EINVAL with the sentence set. */
int config_resolve(const char *name, const mb_workspace_config *config, mb_workspace_config *ret,
                   struct cycle_rules *ret_rules);

bool config_is_equal(const mb_workspace_config *a, const mb_workspace_config *b);
