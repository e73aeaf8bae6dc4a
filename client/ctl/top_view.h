/* SPDX-License-Identifier: Apache-2.0 */
/* What the user has chosen: the page, its order, the filter, the row; and what a key does. Pure. */
#pragma once

#include "client/ctl/top_pick.h"

enum { VIEW_FILTER_BYTES = 64, VIEW_MESSAGE_BYTES = 256 };

/* Keys beside characters. */
enum view_key {
    VIEW_KEY_UP = 0x110000, /* beyond Unicode */
    VIEW_KEY_DOWN,
    VIEW_KEY_PAGE_UP,
    VIEW_KEY_PAGE_DOWN,
    VIEW_KEY_HOME,
    VIEW_KEY_END,
    VIEW_KEY_LEFT,
    VIEW_KEY_RIGHT,
    VIEW_KEY_BACKSPACE,
};

enum view_mode {
    VIEW_TABLE,
    VIEW_FILTER,  /* the filter is being typed */
    VIEW_CONFIRM, /* a question is asked: y or anything else */
    VIEW_TEXT,    /* a text covers the table until a key is pressed */
};

/* What the caller has to do. */
enum view_action { VIEW_NOTHING, VIEW_QUIT, VIEW_ASK_REVOKE, VIEW_REVOKE, VIEW_WHY, VIEW_HELP };

struct view {
    enum page page;
    enum view_mode mode;
    struct pick_order orders[PAGES];
    char filter[VIEW_FILTER_BYTES];
    uint64_t chosen; /* the key of the row; it stays chosen wherever it moves */
    size_t at;       /* its place among the picked rows */
    size_t first;    /* the first row on the screen */
    uint64_t target; /* VIEW_CONFIRM: the number of the row that the question is about */
    char message[VIEW_MESSAGE_BYTES];
    char *text;        /* of VIEW_TEXT; owned */
    size_t first_line; /* of it, on the screen */
    size_t width;      /* of the screen, in columns; 0: not known */
};

void view_init(struct view *view);
void view_free(struct view *view);

/* Shows a text, which the view owns from now on, with no line longer than the screen's width if it has blanks. NULL:
 * none. */
void view_show_text(struct view *view, char *text);

/* Of the text that is shown; 0: none. */
size_t view_text_lines(const struct view *view);

/* After the rows were picked again: finds the chosen row, and keeps it on a screen of so many rows. */
void view_settle(struct view *view, const struct picked *picked, size_t height);

/* The chosen row; NULL: there is none. */
const struct row *view_chosen(const struct view *view, const struct picked *picked);

/* Takes a key: a character, or an enum view_key. `height`: the rows on the screen. */
enum view_action view_key(struct view *view, uint32_t key, const struct picked *picked, size_t height);
