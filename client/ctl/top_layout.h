/* SPDX-License-Identifier: Apache-2.0 */
/* The whole screen as text: what is known of the broker, as the user wants to see it. Pure, but for the locale. */
#pragma once

#include "client/ctl/top_grid.h"
#include "client/ctl/top_model.h"
#include "client/ctl/top_view.h"

struct layout {
    const struct model *model;
    const struct view *view;
    const struct picked *picked;
    const char *host, *clock; /* the host's name, and the time of day */
    const char *failure;      /* why the broker does not answer; "": it does */
    bool is_silent;           /* it is there, but does not answer in time */
    uint64_t now_ms;
};

/* How many rows of a table fit a screen of this height. */
size_t layout_table_height(int height);

/* How many lines of a text do. */
size_t layout_text_height(int height);

/* If the grid is too small for a table, it says so. */
void layout_draw(const struct grid *grid, const struct layout *layout);
