/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the screen: headings, and a page of rows. */
#pragma once

#include "client/ctl/top_layout.h"

/* Draws the headings in a row, and `height` rows below. */
void table_draw(const struct grid *grid, int row, size_t height, const struct layout *layout);
