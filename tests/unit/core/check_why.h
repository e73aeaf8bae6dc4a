/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what the broker explains is so: each figure and time against the broker's tables. */
#pragma once

#include "tests/unit/core/shell_model.h"

/* Fails the test where a sentence that membrokerctl would write is not true. */
void check_why(struct model *model);
