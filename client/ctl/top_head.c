/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_head.h"

#include "client/ctl/top_chart.h"
#include "proto/base/size.h"

enum { TITLE_ROW, RAM_ROW, FILES_ROW, BOTH_ROW, LEGEND_ROW, RATES_ROW };
enum { NAME_WIDTH = 6, FIGURES_WIDTH = 32 };

/* ---- title ---- */

static void draw_failure(const struct grid *grid, const struct layout *layout)
{
    char text[640];
    grid_paint(grid, TITLE_ROW, STYLE_ALARM);
    (void)snprintf(text, sizeof text, "%s: %s", layout->is_silent ? "NO ANSWER" : "NO BROKER", layout->failure);
    (void)grid_put(grid, TITLE_ROW, 0, grid->width, STYLE_ALARM, text);
}

static void draw_title(const struct grid *grid, const struct layout *layout)
{
    char text[256], uptime[SIZE_TEXT_BYTES];
    const struct status_reply *status = &layout->model->broker.status;
    if (*layout->failure) {
        draw_failure(grid, layout);
        return;
    }
    (void)snprintf(
        text, sizeof text, "membroker %s on %s, up %s: %llu session%s, %llu lease%s", layout->model->broker.version,
        layout->host, duration_to_text(status->uptime_ms / 1000 * 1000, uptime), (unsigned long long)status->sessions,
        status->sessions == 1 ? "" : "s", (unsigned long long)status->leases, status->leases == 1 ? "" : "s");
    int taken = grid_put(grid, TITLE_ROW, 0, grid->width, STYLE_TITLE, text);
    grid_put_right(grid, TITLE_ROW, taken + 1, grid->width - taken - 1, STYLE_FAINT, layout->clock);
}

/* ---- bars ---- */

/* "3.2 GiB of 16 GiB  20 %" */
static void draw_figures(const struct grid *grid, int row, uint64_t used, uint64_t limit)
{
    char text[160], used_text[SIZE_TEXT_BYTES], limit_text[SIZE_TEXT_BYTES], share[24] = "";
    if (limit != LIMIT_OFF && limit > 0) {
        (void)snprintf(share, sizeof share, "%5.1f %%", 100.0 * (double)used / (double)limit);
    }
    (void)snprintf(text, sizeof text, "%s of %s %s", size_to_text(used, used_text), size_to_text(limit, limit_text),
                   share);
    grid_put_right(grid, row, grid->width - FIGURES_WIDTH, FIGURES_WIDTH, STYLE_PLAIN, text);
}

static void draw_bar(const struct grid *grid, int row, const char *name, const struct bar *bar)
{
    int width = grid->width - NAME_WIDTH - 2 - FIGURES_WIDTH;
    uint64_t used = bar->parts[BAR_LEASED] + bar->parts[BAR_POOLED] + bar->parts[BAR_FREEING];
    (void)grid_put(grid, row, 0, NAME_WIDTH, STYLE_PLAIN, name);
    if (width > 0) {
        (void)grid_put(grid, row, NAME_WIDTH, 1, STYLE_FAINT, "[");
        chart_bar(grid, row, NAME_WIDTH + 1, width, bar);
        (void)grid_put(grid, row, NAME_WIDTH + 1 + width, 1, STYLE_FAINT, "]");
    }
    draw_figures(grid, row, used, bar->limit);
}

/* The pool holds RAM alone, and only RAM is reserved. */
static struct bar bar_of(const struct status_reply *status, uint64_t used, uint64_t freeing, uint64_t limit,
                         bool has_ram)
{
    uint64_t pooled = has_ram ? status->pooled_bytes : 0;
    return (struct bar){
        .parts = {[BAR_LEASED] = size_subtract_floored(used, pooled + freeing),
                  [BAR_POOLED] = pooled,
                  [BAR_FREEING] = freeing,
                  [BAR_RESERVED] = has_ram ? status->reserved_bytes : 0},
        .limit = limit,
    };
}

static void draw_legend(const struct grid *grid, const struct bar *both)
{
    static const char *const names[BAR_PARTS] = {
        [BAR_LEASED] = "leased", [BAR_POOLED] = "pool", [BAR_FREEING] = "freeing", [BAR_RESERVED] = "reserved"};
    int column = 0;
    for (enum bar_part part = 0; part < BAR_PARTS; part++) {
        char text[96], bytes[SIZE_TEXT_BYTES];
        (void)snprintf(text, sizeof text, " %s %s ", names[part], size_to_text(both->parts[part], bytes));
        column += chart_sign(grid, LEGEND_ROW, column, part);
        column += grid_put(grid, LEGEND_ROW, column, grid->width - column, STYLE_PLAIN, text);
    }
}

static void draw_bars(const struct grid *grid, const struct status_reply *status)
{
    const struct byte_limits *limits = &status->limits;
    uint64_t freeing = status->freeing_bytes, ram_freeing = status->freeing_physical_bytes;
    struct bar ram = bar_of(status, status->used_physical_bytes, ram_freeing, limits->max_physical_bytes, true);
    struct bar files = bar_of(status, status->used_mapped_bytes, size_subtract_floored(freeing, ram_freeing),
                              limits->max_mapped_bytes, false);
    struct bar both = bar_of(status, status->used_bytes, freeing, limits->max_bytes, true);
    draw_bar(grid, RAM_ROW, "RAM", &ram);
    draw_bar(grid, FILES_ROW, "files", &files);
    draw_bar(grid, BOTH_ROW, "both", &both);
    draw_legend(grid, &both);
}

/* ---- rates ---- */

static const char *pressure_name(enum pressure level)
{
    return level == PRESSURE_FULL ? "full" : level == PRESSURE_SOME ? "some" : "none";
}

static int draw_rate(const struct grid *grid, int column, const char *name, bool is_known, double rate)
{
    char text[64];
    (void)snprintf(text, sizeof text, is_known ? "%s %.1f/s  " : "%s -  ", name, rate);
    return column + grid_put(grid, RATES_ROW, column, grid->width - column, STYLE_PLAIN, text);
}

static int draw_alarm(const struct grid *grid, int column, bool is_on, const char *text)
{
    if (!is_on) {
        return column;
    }
    return column + grid_put(grid, RATES_ROW, column, grid->width - column, STYLE_ALARM, text);
}

static void draw_rates(const struct grid *grid, const struct model *model)
{
    const struct rates *rates = &model->rates;
    const struct status_reply *status = &model->broker.status;
    char text[96];
    int column = draw_rate(grid, 0, "grants", rates->is_known, rates->granted);
    column = draw_rate(grid, column, "refusals", rates->is_known, rates->refused);
    column = draw_rate(grid, column, "expiries", rates->is_known, rates->expired);
    (void)snprintf(text, sizeof text, "waiting %llu  ", (unsigned long long)status->waiting);
    column += grid_put(grid, RATES_ROW, column, grid->width - column, STYLE_PLAIN, text);
    (void)snprintf(text, sizeof text, "pressure %s  ", pressure_name(status->pressure));
    column += grid_put(grid, RATES_ROW, column, grid->width - column,
                       status->pressure == PRESSURE_NONE ? STYLE_PLAIN : STYLE_ALARM, text);
    (void)draw_alarm(grid, column, model->broker.is_misconfigured || model->broker.warnings || status->stuck_jobs,
                     "see `status`");
}

void head_draw(const struct grid *grid, const struct layout *layout)
{
    draw_title(grid, layout);
    if (layout->model->has_status) {
        draw_bars(grid, &layout->model->broker.status);
        draw_rates(grid, layout->model);
    }
}
