/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_chart.h"

struct sign {
    enum grid_style style;
    wchar_t character, ascii;
};

static const struct sign signs[BAR_PARTS] = {
    [BAR_LEASED] = {STYLE_LEASED, L'█', L'#'},
    [BAR_POOLED] = {STYLE_POOLED, L'▒', L'+'},
    [BAR_FREEING] = {STYLE_FREEING, L'▓', L'x'},
    [BAR_RESERVED] = {STYLE_RESERVED, L'░', L'='},
};

static wchar_t character_of(const struct grid *grid, enum bar_part part)
{
    return grid->is_ascii ? signs[part].ascii : signs[part].character;
}

static double whole_of(const struct bar *bar)
{
    double sum = 0;
    for (enum bar_part part = 0; part < BAR_PARTS; part++) {
        sum += (double)bar->parts[part];
    }
    return bar->limit == UINT64_MAX || sum > (double)bar->limit ? sum : (double)bar->limit;
}

/* How many columns a part has, of those that are left. */
static int columns_of(uint64_t bytes, double whole, int width, int left)
{
    int columns = whole > 0 ? (int)((double)bytes / whole * (double)width + 0.5) : 0;
    columns = bytes > 0 && columns == 0 ? 1 : columns;
    return columns < left ? columns : left;
}

void chart_bar(const struct grid *grid, int row, int column, int width, const struct bar *bar)
{
    double whole = whole_of(bar);
    int left = width;
    for (enum bar_part part = 0; part < BAR_PARTS; part++) {
        int columns = columns_of(bar->parts[part], whole, width, left);
        grid_repeat(grid, row, column + width - left, columns, signs[part].style, character_of(grid, part));
        left -= columns;
    }
    grid_repeat(grid, row, column + width - left, left, STYLE_FAINT, grid->is_ascii ? L'.' : L'·');
}

int chart_sign(const struct grid *grid, int row, int column, enum bar_part part)
{
    grid_repeat(grid, row, column, 1, signs[part].style, character_of(grid, part));
    return 1;
}

static float largest_of(const float *samples, int count)
{
    float largest = 0;
    for (int i = 0; i < count; i++) {
        largest = samples[i] > largest ? samples[i] : largest;
    }
    return largest;
}

/* Nothing at all is the lowest step; anything more is above it. */
static wchar_t step_of(const struct grid *grid, float sample, float largest)
{
    static const wchar_t blocks[] = L"▁▂▃▄▅▆▇█", letters[] = L"_.:-=+*#";
    enum { STEPS = 8 };
    int step = largest > 0 ? (int)(sample / largest * (float)(STEPS - 1) + 0.5F) : 0;
    step = sample > 0 && step == 0 ? 1 : step;
    return grid->is_ascii ? letters[step] : blocks[step];
}

void chart_line(const struct grid *grid, int row, int column, int width, const float *samples, int count)
{
    int first = count > width ? count - width : 0, at = column + width - (count - first);
    float largest = largest_of(samples + first, count - first);
    for (int i = first; i < count; i++, at++) {
        if (samples[i] >= 0) {
            grid_repeat(grid, row, at, 1, STYLE_LEASED, step_of(grid, samples[i], largest));
        }
    }
}
