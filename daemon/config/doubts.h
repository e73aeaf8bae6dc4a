/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration says and can't mean: limits that never count, classes that nobody is in. */
#pragma once

#include "daemon/config/draft.h"

/* Writes a line for each: "FILE:LINE: [section] ...". The draft is complete. */
void doubts_print(const struct config_draft *draft, FILE *out);
