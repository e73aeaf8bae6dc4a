/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the broker's explanations with its tables: each number and time. */
#pragma once

#include "tests/unit/core/shell_model.h"

/* Fails the test where a sentence that membrokerctl would write is not true. */
void check_why(struct model *model);
