/* SPDX-License-Identifier: Apache-2.0 */
/* What is drawn rather than written: bars with parts, and lines of samples. */
#pragma once

#include "client/ctl/top_grid.h"

enum bar_part { BAR_LEASED, BAR_POOLED, BAR_FREEING, BAR_RESERVED, BAR_PARTS };

struct bar {
    uint64_t parts[BAR_PARTS]; /* bytes; the reserved ones are none of those that are used */
    uint64_t limit;            /* bytes; UINT64_MAX: none */
};

/* Draws a bar into so many columns: a part that has any bytes is seen if there is room. Without a limit the parts fill
 * it. */
void chart_bar(const struct grid *grid, int row, int column, int width, const struct bar *bar);

/* Draws the sign of a part, and returns its columns. */
int chart_sign(const struct grid *grid, int row, int column, enum bar_part part);

/* Draws the newest samples, the last one at the right end; negative: there is none. The largest is full height. */
void chart_line(const struct grid *grid, int row, int column, int width, const float *samples, int count);
