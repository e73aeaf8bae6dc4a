/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration says and can't have been meant so: limits that never count, classes that nobody is in. */
#pragma once

#include "daemon/config/settings.h"

/* Writes a line for each: "FILE:LINE: [section] ...". The draft is complete. */
void doubts_print(const struct config_draft *draft, FILE *out);
