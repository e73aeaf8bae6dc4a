/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_terminal.h"

#include <curses.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/size.h"

static SCREEN *screen;
static attr_t attributes[STYLES];

/* Without colours every style but the plain one can still be told from it, or has signs of its own. */
static void choose_attributes(bool has_colours)
{
    static const struct {
        attr_t plain;
        short colour; /* -1: none */
    } looks[STYLES] = {
        [STYLE_PLAIN] = {A_NORMAL, -1},
        [STYLE_TITLE] = {A_BOLD, -1},
        [STYLE_FAINT] = {A_NORMAL, -1},
        [STYLE_CHOSEN] = {A_REVERSE, -1},
        [STYLE_ALARM] = {A_BOLD, COLOR_RED},
        [STYLE_LEASED] = {A_NORMAL, COLOR_GREEN},
        [STYLE_POOLED] = {A_NORMAL, COLOR_CYAN},
        [STYLE_FREEING] = {A_NORMAL, COLOR_YELLOW},
        [STYLE_RESERVED] = {A_NORMAL, COLOR_BLUE},
    };
    for (int style = 0; style < STYLES; style++) {
        attributes[style] = looks[style].plain;
        if (has_colours && looks[style].colour >= 0) {
            (void)init_pair((short)(style + 1), looks[style].colour, -1);
            attributes[style] |= (attr_t)COLOR_PAIR(style + 1);
        }
    }
    attributes[STYLE_FAINT] |= has_colours ? A_DIM : A_NORMAL;
}

/* What https://no-color.org asks of programs: any value that is not empty. */
static bool wants_colours(void)
{
    const char *no_colour = getenv("NO_COLOR");
    return !no_colour || !*no_colour;
}

bool terminal_open(void)
{
    screen = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? newterm(NULL, stdout, stdin) : NULL;
    if (!screen) {
        return false;
    }
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, true);
    (void)curs_set(0);
    (void)set_escdelay(50);
    bool has_colours = wants_colours() && has_colors() && start_color() == OK && use_default_colors() == OK;
    choose_attributes(has_colours);
    return true;
}

void terminal_close(void)
{
    (void)endwin();
    delscreen(screen);
    screen = NULL;
}

void terminal_size(int *ret_width, int *ret_height)
{
    *ret_width = getmaxx(stdscr);
    *ret_height = getmaxy(stdscr);
}

bool terminal_is_ascii(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

static void show_row(const struct grid *grid, int row)
{
    for (int column = 0; column < grid->width; column++) {
        const struct grid_cell *cell = grid_at(grid, row, column);
        if (cell->character != L'\0') {
            const wchar_t text[] = {cell->character, L'\0'};
            (void)attrset((int)attributes[cell->style]);
            (void)mvaddnwstr(row, column, text, 1);
        }
    }
}

void terminal_show(const struct grid *grid)
{
    (void)erase();
    for (int row = 0; row < grid->height; row++) {
        show_row(grid, row);
    }
    (void)refresh();
}

static uint32_t key_of(wint_t code)
{
    static const struct {
        wint_t code;
        enum view_key key;
    } keys[] = {
        {KEY_UP, VIEW_KEY_UP},     {KEY_DOWN, VIEW_KEY_DOWN},       {KEY_PPAGE, VIEW_KEY_PAGE_UP},
        {KEY_HOME, VIEW_KEY_HOME}, {KEY_NPAGE, VIEW_KEY_PAGE_DOWN}, {KEY_END, VIEW_KEY_END},
        {KEY_LEFT, VIEW_KEY_LEFT}, {KEY_RIGHT, VIEW_KEY_RIGHT},     {KEY_BACKSPACE, VIEW_KEY_BACKSPACE},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (keys[i].code == code) {
            return keys[i].key;
        }
    }
    return code == KEY_ENTER ? '\n' : 0;
}

bool terminal_key(uint32_t wait_ms, uint32_t *ret_key)
{
    wint_t code;
    timeout((int)wait_ms);
    int kind = get_wch(&code);
    if (kind == ERR || (kind == KEY_CODE_YES && code == KEY_RESIZE)) {
        return false;
    }
    *ret_key = kind == KEY_CODE_YES ? key_of(code) : (uint32_t)code;
    return true;
}
