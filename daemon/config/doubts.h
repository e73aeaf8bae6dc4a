/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that are valid but probably a mistake: limits without effect, classes without members. */
#pragma once

#include "daemon/config/draft.h"

/* Writes a line for each: "FILE:LINE: [section] ...". The draft is complete. */
void doubts_print(const struct config_draft *draft, FILE *out);
