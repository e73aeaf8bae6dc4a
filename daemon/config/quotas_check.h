/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what is promised can be kept: reserves and the pool within the limits, and each quota within itself. */
#pragma once

#include "daemon/config/draft.h"

/* 0 or negative errno with the draft's error set. */
int quotas_check(struct config_draft *draft);
