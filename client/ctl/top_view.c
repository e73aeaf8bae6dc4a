/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_view.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "proto/base/size.h"
#include "proto/base/text.h"

enum { ESCAPE = 27, RUBOUT = 127, BACKSPACE = 8 };

void view_init(struct view *view)
{
    *view = (struct view){.mode = VIEW_TABLE};
    for (enum page page = 0; page < PAGES; page++) {
        (void)pick_order_named(&page_kinds[page], page_kinds[page].sort, &view->orders[page]);
    }
}

static void drop_text(struct view *view)
{
    free(view->text);
    view->text = NULL;
    view->first_line = 0;
}

void view_free(struct view *view)
{
    drop_text(view);
}

/* Breaks lines at blanks. A character has at most as many columns as bytes, so that a line may end early, but fits. */
static void wrap(char *text, size_t width)
{
    char *line = text, *blank = NULL;
    for (char *at = text; *at; at++) {
        blank = *at == ' ' ? at : blank;
        if (*at != '\n' && (size_t)(at - line) >= width && blank) {
            *blank = '\n';
            line = blank + 1;
            blank = NULL;
        } else if (*at == '\n') {
            line = at + 1;
            blank = NULL;
        }
    }
}

void view_show_text(struct view *view, char *text)
{
    drop_text(view);
    view->text = text;
    if (text && view->width > 0) {
        wrap(text, view->width);
    }
    view->mode = text ? VIEW_TEXT : VIEW_TABLE;
}

/* ---- the chosen row ---- */

const struct row *view_chosen(const struct view *view, const struct picked *picked)
{
    return view->at < picked->count ? picked->rows[view->at] : NULL;
}

static void choose(struct view *view, const struct picked *picked, size_t at)
{
    view->at = picked->count ? size_min(at, picked->count - 1) : 0;
    view->chosen = picked->count ? picked->rows[view->at]->key : 0;
}

static void scroll(struct view *view, const struct picked *picked, size_t height)
{
    size_t last = height ? height - 1 : 0;
    size_t least = size_subtract_floored(view->at, last);
    view->first = size_max(view->first, least);
    view->first = size_min(view->first, view->at);
    view->first = size_min(view->first, size_subtract_floored(picked->count, height));
}

/* On top of the list the top stays chosen, so that a table at which nobody looks shows what is most. */
void view_settle(struct view *view, const struct picked *picked, size_t height)
{
    size_t at = view->at;
    for (size_t i = 0; at > 0 && i < picked->count; i++) {
        if (picked->rows[i]->key == view->chosen) {
            at = i;
            break;
        }
    }
    choose(view, picked, at);
    scroll(view, picked, height);
}

static void move(struct view *view, const struct picked *picked, size_t height, size_t at)
{
    choose(view, picked, at);
    scroll(view, picked, height);
}

/* ---- keys of a table ---- */

static bool move_by_key(struct view *view, uint32_t key, const struct picked *picked, size_t height)
{
    switch (key) {
    case VIEW_KEY_UP:
        move(view, picked, height, size_subtract_floored(view->at, 1));
        return true;
    case VIEW_KEY_DOWN:
        move(view, picked, height, view->at + 1);
        return true;
    case VIEW_KEY_PAGE_UP:
        move(view, picked, height, size_subtract_floored(view->at, height));
        return true;
    case VIEW_KEY_PAGE_DOWN:
        move(view, picked, height, view->at + height);
        return true;
    case VIEW_KEY_HOME:
        move(view, picked, height, 0);
        return true;
    case VIEW_KEY_END:
        move(view, picked, height, picked->count);
        return true;
    default:
        return false;
    }
}

static void turn_to(struct view *view, enum page page)
{
    view->page = page;
    view->at = view->first = 0;
    view->chosen = 0;
}

/* To the next column that has values, in one direction or the other. */
static void sort_by_next(struct view *view, int step)
{
    const struct page_kind *kind = &page_kinds[view->page];
    struct pick_order *order = &view->orders[view->page];
    do {
        order->column = (order->column + step + kind->column_count) % kind->column_count;
    } while (!kind->columns[order->column].key);
    order->is_turned = false;
    view->at = view->first = 0;
}

static enum view_action ask_revoke(struct view *view, const struct picked *picked)
{
    if (view->page != PAGE_LEASES && view->page != PAGE_SESSIONS && view->page != PAGE_BLOCKS) {
        text_copy(view->message, sizeof view->message, "choose a lease (4), a session (3) or a block (6)");
        return VIEW_NOTHING;
    }
    return view_chosen(view, picked) ? VIEW_ASK_REVOKE : VIEW_NOTHING;
}

static enum view_action letter(struct view *view, uint32_t key, const struct picked *picked)
{
    switch (key) {
    case 'q':
        return VIEW_QUIT;
    case 'k':
        return ask_revoke(view, picked);
    case 'w':
        return VIEW_WHY;
    case '?':
    case 'h':
        return VIEW_HELP;
    case '/':
        view->mode = VIEW_FILTER;
        return VIEW_NOTHING;
    case '\t':
        turn_to(view, (view->page + 1) % PAGES);
        return VIEW_NOTHING;
    case '<':
    case VIEW_KEY_LEFT:
        sort_by_next(view, -1);
        return VIEW_NOTHING;
    case '>':
    case VIEW_KEY_RIGHT:
        sort_by_next(view, 1);
        return VIEW_NOTHING;
    case 'r':
        view->orders[view->page].is_turned = !view->orders[view->page].is_turned;
        return VIEW_NOTHING;
    case ESCAPE:
        view->filter[0] = '\0';
        return VIEW_NOTHING;
    default:
        if (key >= '1' && key < '1' + PAGES) {
            turn_to(view, (enum page)(key - '1'));
        }
        return VIEW_NOTHING;
    }
}

/* ---- the filter ---- */

static void add_to_filter(struct view *view, uint32_t key)
{
    char bytes[16];
    mbstate_t state = {0};
    size_t used = strlen(view->filter), length = wcrtomb(bytes, (wchar_t)key, &state);
    if (length <= sizeof bytes && used + length < sizeof view->filter) {
        memcpy(view->filter + used, bytes, length);
        view->filter[used + length] = '\0';
    }
}

static void cut_filter(struct view *view)
{
    size_t used = strlen(view->filter);
    if (used > 0) {
        view->filter[used - 1] = '\0';
        text_end_whole(view->filter);
    }
}

static enum view_action type(struct view *view, uint32_t key)
{
    if (key == ESCAPE) {
        view->filter[0] = '\0';
    }
    if (key == ESCAPE || key == '\n' || key == '\r') {
        view->mode = VIEW_TABLE;
    } else if (key == VIEW_KEY_BACKSPACE || key == RUBOUT || key == BACKSPACE) {
        cut_filter(view);
    } else if (key >= ' ' && key < VIEW_KEY_UP) {
        add_to_filter(view, key);
    }
    view->at = view->first = 0;
    return VIEW_NOTHING;
}

/* ---- the other modes ---- */

static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

size_t view_text_lines(const struct view *view)
{
    return view->text ? lines_of(view->text) : 0;
}

static void read_text(struct view *view, uint32_t key, size_t height)
{
    size_t last = size_subtract_floored(lines_of(view->text), height);
    if (key == VIEW_KEY_UP) {
        view->first_line = size_subtract_floored(view->first_line, 1);
    } else if (key == VIEW_KEY_DOWN) {
        view->first_line = size_min(view->first_line + 1, last);
    } else if (key == VIEW_KEY_PAGE_UP) {
        view->first_line = size_subtract_floored(view->first_line, height);
    } else if (key == VIEW_KEY_PAGE_DOWN || key == ' ') {
        view->first_line = size_min(view->first_line + height, last);
    } else {
        drop_text(view);
        view->mode = VIEW_TABLE;
    }
}

static enum view_action answer(struct view *view, uint32_t key)
{
    view->mode = VIEW_TABLE;
    view->message[0] = '\0';
    return key == 'y' || key == 'Y' ? VIEW_REVOKE : VIEW_NOTHING;
}

enum view_action view_key(struct view *view, uint32_t key, const struct picked *picked, size_t height)
{
    switch (view->mode) {
    case VIEW_FILTER:
        return move_by_key(view, key, picked, height) ? VIEW_NOTHING : type(view, key);
    case VIEW_CONFIRM:
        return answer(view, key);
    case VIEW_TEXT:
        read_text(view, key, height);
        return VIEW_NOTHING;
    case VIEW_TABLE:
        break;
    }
    view->message[0] = '\0';
    return move_by_key(view, key, picked, height) ? VIEW_NOTHING : letter(view, key, picked);
}
