/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl top */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/options.h"
#include "client/ctl/top_commands.h"
#include "client/ctl/top_layout.h"
#include "client/ctl/top_source.h"
#include "client/ctl/top_terminal.h"
#include "proto/base/size.h"

enum {
    DELAY_MS = 1000,
    DELAY_LEAST_MS = 100,
    TIMEOUT_MS = 2000,
    WIDTH = 80,
    HEIGHT = 24,
    SIZE_MAX_CELLS = 1000,
    KEYS_OVERDUE = 32
};

/* ---- options ---- */

static bool is_once;
static uint32_t delay_ms = DELAY_MS;
static const char *sort_text, *filter_text;

static int take_once(struct ctl_options *options, const char *value)
{
    (void)options, (void)value;
    is_once = true;
    return CTL_DONE;
}

static int take_delay(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_duration("--delay", value, DELAY_LEAST_MS, &delay_ms);
}

static int take_sort(struct ctl_options *options, const char *value)
{
    (void)options;
    sort_text = value;
    return CTL_DONE;
}

static int take_filter(struct ctl_options *options, const char *value)
{
    (void)options;
    filter_text = value;
    return CTL_DONE;
}

static const struct ctl_option list[] = {
    {"once", '\0', NULL, "print one screen as text, after one delay, and end", take_once},
    {"delay", 'd', "TIME", "from one refresh to the next (default 1s, at least 100ms)", take_delay},
    {"sort", '\0', "KEY", "by a column: numbers largest first, texts from A; turned round: -KEY", take_sort},
    {"filter", '\0', "TEXT", "only rows that have this text in a column", take_filter},
};

const struct ctl_option_list top_options = {list, sizeof list / sizeof *list};

/* ---- a run ---- */

struct top {
    struct source source;
    struct model model;
    struct view view;
    struct picked picked;
    bool is_failed; /* the last refresh; source.sentence says why */
    bool is_silent; /* because no answer came */
    char host[64];
};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NANOSECONDS_PER_MILLISECOND;
}

static void choose_rows(struct top *top, int height)
{
    const struct view *view = &top->view;
    const struct page_kind *kind = &page_kinds[view->page];
    (void)pick(&top->picked, &top->model.tables[kind->table], kind, &view->orders[view->page], view->filter);
    view_settle(&top->view, &top->picked, layout_table_height(height));
}

/* The numbers of the rows on the screen. */
static size_t shown_rows(const struct top *top, int height, uint64_t numbers[MODEL_ROWS])
{
    size_t count = 0, room = size_min(layout_table_height(height), MODEL_ROWS);
    while (count < room && top->view.first + count < top->picked.count) {
        numbers[count] = top->picked.rows[top->view.first + count]->number;
        count++;
    }
    return count;
}

/* Asks the broker. Afterwards the picked rows must be picked again: theirs may be gone. */
static int refresh_model(struct top *top, int height)
{
    uint64_t numbers[MODEL_ROWS];
    size_t count = shown_rows(top, height, numbers);
    enum model_table table = page_kinds[top->view.page].table;
    pick_free(&top->picked);
    int result = model_refresh(&top->model, source_ask, &top->source, table, numbers, count, now_ms());
    top->is_failed = result < 0;
    top->is_silent = result == -ETIMEDOUT;
    choose_rows(top, height);
    return result;
}

static struct grid *draw(struct top *top, int width, int height, bool is_ascii)
{
    char clock[16] = "";
    time_t now = time(NULL);
    struct tm local;
    struct grid *grid = grid_new(width, height, is_ascii);
    if (grid && localtime_r(&now, &local)) {
        (void)strftime(clock, sizeof clock, "%H:%M:%S", &local);
    }
    const struct layout layout = {.model = &top->model,
                                  .view = &top->view,
                                  .picked = &top->picked,
                                  .host = top->host,
                                  .clock = clock,
                                  .failure = top->is_failed ? top->source.sentence : "",
                                  .is_silent = top->is_silent,
                                  .now_ms = now_ms()};
    if (grid) {
        layout_draw(grid, &layout);
    }
    return grid;
}

/* ---- a live screen ---- */

static void show(struct top *top)
{
    int width, height;
    terminal_size(&width, &height);
    struct grid *grid = draw(top, width, height, terminal_is_ascii());
    if (grid) {
        terminal_show(grid);
    }
    grid_free(grid);
}

/* False: the user has enough. */
static bool act(struct top *top, enum view_action action)
{
    const struct row *chosen = view_chosen(&top->view, &top->picked);
    const struct command command = {&top->source, &top->model, &top->view, chosen};
    switch (action) {
    case VIEW_QUIT:
        return false;
    case VIEW_ASK_REVOKE:
        command_ask_revoke(&command);
        break;
    case VIEW_REVOKE:
        command_revoke(&command, now_ms());
        break;
    case VIEW_WHY:
        command_why(&command);
        break;
    case VIEW_HELP:
        command_help(&top->view);
        break;
    case VIEW_NOTHING:
        break;
    }
    return true;
}

/* Takes a key, if one comes in time. False: the user has enough. */
static bool take_key(struct top *top, uint64_t wait_ms, bool *ret_is_key)
{
    int width, height;
    uint32_t key;
    *ret_is_key = terminal_key((uint32_t)wait_ms, &key);
    terminal_size(&width, &height);
    top->view.width = (size_t)width;
    if (*ret_is_key && !act(top, view_key(&top->view, key, &top->picked, layout_table_height(height)))) {
        return false;
    }
    choose_rows(top, height);
    show(top);
    return true;
}

/* Takes keys until a refresh is due; also if it is overdue, because the broker is slow, those that were pressed
 * meanwhile. False: the user has enough. What another page shows is read immediately. */
static bool take_keys(struct top *top, uint64_t until)
{
    enum page page = top->view.page;
    bool is_key = true;
    for (int keys = 0; now_ms() < until || (is_key && keys < KEYS_OVERDUE); keys++) {
        if (!take_key(top, size_subtract_floored(until, now_ms()), &is_key)) {
            return false;
        }
        if (top->view.page != page) {
            break;
        }
    }
    return true;
}

static int run_live(struct top *top)
{
    bool goes_on = true;
    if (!terminal_open()) {
        return ctl_fail(-ENOTTY, "top needs a terminal whose kind TERM names; for a pipe there is --once");
    }
    while (goes_on) {
        int width, height;
        uint64_t began = now_ms();
        terminal_size(&width, &height);
        (void)refresh_model(top, height);
        show(top);
        goes_on = take_keys(top, began + delay_ms);
    }
    terminal_close();
    return CTL_DONE;
}

/* ---- one screen ---- */

static int number_in(const char *name, int otherwise)
{
    uint64_t number;
    const char *text = getenv(name);
    return text && ctl_is_number(text, &number) && number > 0 && number <= SIZE_MAX_CELLS ? (int)number : otherwise;
}

/* Of the terminal, if it goes to one. */
static void size_of_output(int *ret_width, int *ret_height)
{
    struct winsize size = {0};
    bool is_terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *ret_width = number_in("COLUMNS", is_terminal ? size.ws_col : WIDTH);
    *ret_height = number_in("LINES", is_terminal ? size.ws_row : HEIGHT);
}

static int run_once(struct top *top)
{
    int width, height;
    struct timespec delay = {.tv_sec = delay_ms / 1000,
                             .tv_nsec = (long)(delay_ms % 1000) * (long)NANOSECONDS_PER_MILLISECOND};
    size_of_output(&width, &height);
    int result = refresh_model(top, height);
    if (result == 0) {
        (void)nanosleep(&delay, NULL); /* rates are of the time between two answers */
        result = refresh_model(top, height);
    }
    if (result < 0) {
        return ctl_failed(result);
    }
    struct grid *grid = draw(top, width, height, terminal_is_ascii());
    if (!grid) {
        return ctl_fail(-ENOMEM, "out of memory");
    }
    grid_print(grid, stdout);
    grid_free(grid);
    return CTL_DONE;
}

/* ---- the verb ---- */

static int fail_sort(const struct page_kind *kind)
{
    char keys[256] = "";
    for (int column = 0; column < kind->column_count; column++) {
        size_t used = strlen(keys);
        if (kind->columns[column].key) {
            (void)snprintf(keys + used, sizeof keys - used, "%s%s", used ? ", " : "", kind->columns[column].key);
        }
    }
    return ctl_usage("--sort `%s`: there is no such column; there are %s", sort_text, keys);
}

static int prepare(struct top *top, const struct ctl_options *options, int argc, char **argv)
{
    view_init(&top->view);
    top->view.page = argc > 1 ? page_named(argv[1]) : PAGE_USERS;
    if (top->view.page == PAGES) {
        return ctl_usage("top has no page `%s`; there are users, classes, sessions, leases, queue and blocks", argv[1]);
    }
    const struct page_kind *kind = &page_kinds[top->view.page];
    if (sort_text && !pick_order_named(kind, sort_text, &top->view.orders[top->view.page])) {
        return fail_sort(kind);
    }
    if (options->json) {
        return ctl_usage("top is for people; status, usage, sessions, leases, queue and blocks have --json");
    }
    (void)snprintf(top->view.filter, sizeof top->view.filter, "%s", filter_text ? filter_text : "");
    (void)gethostname(top->host, sizeof top->host - 1);
    top->source.socket = options->socket;
    top->source.timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    model_init(&top->model);
    return CTL_DONE;
}

int top_main(const struct ctl_options *options, int argc, char **argv)
{
    struct top top = {0};
    if (!ctl_takes(argc, argv, 1)) {
        return CTL_USAGE;
    }
    int result = prepare(&top, options, argc, argv);
    if (result == CTL_DONE) {
        result = is_once ? run_once(&top) : run_live(&top);
    }
    source_close(&top.source);
    pick_free(&top.picked);
    model_free(&top.model);
    view_free(&top.view);
    return result;
}
