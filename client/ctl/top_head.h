/* SPDX-License-Identifier: Apache-2.0 */
/* The first rows of the screen: the broker, its limits as bars, and rates. */
#pragma once

#include "client/ctl/top_layout.h"

enum { HEAD_ROWS = 6 };

void head_draw(const struct grid *grid, const struct layout *layout);
