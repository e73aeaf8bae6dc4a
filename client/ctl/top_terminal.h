/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal, by ncurses: it shows a grid, changing only what differs, and reads keys. One at a time. */
#pragma once

#include "client/ctl/top_grid.h"
#include "client/ctl/top_view.h"

/* Takes the terminal over. False: there is none, or ncurses does not know its kind. */
bool terminal_open(void);

/* Gives it back as it was. */
void terminal_close(void);

/* Columns and rows now. */
void terminal_size(int *ret_width, int *ret_height);

/* Whether the locale's characters are ASCII alone. */
bool terminal_is_ascii(void);

void terminal_show(const struct grid *grid);

/* Waits for a key, at most so long. False: there was none, or the size changed. */
bool terminal_key(uint32_t wait_ms, uint32_t *ret_key);
