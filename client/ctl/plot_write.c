/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program for gnuplot: a block of data with a row for each time, and a plot of it. The classes are stacked, the
 * largest at the bottom; each column has what the ones below it hold as well, and is filled down to the axis.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/events.h"
#include "client/ctl/plot.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

enum { LAYERS_MOST = 16, GAP_MS = 60 * 1000 };

/* A class, or what is left beside those that have a layer. */
struct layer {
    char name[MESSAGE_CLASS_SIZE];
    uint64_t most;       /* that it held */
    uint64_t now, limit; /* in the row that is being written; LIMIT_OFF: none */
    bool has_limit;      /* in any row */
};

struct picture {
    const struct plot_samples *samples;
    bool are_files;
    struct layer *layers; /* of all classes, the largest first */
    size_t count;         /* with a layer of their own */
    uint64_t unit;        /* of the numbers, in bytes */
    bool has_limit;       /* the broker, in any row */
};

static uint64_t held(const struct picture *picture, const struct sample_entry *sample)
{
    return picture->are_files ? sample->mapped_bytes : sample->physical_bytes;
}

static uint64_t limit_of(const struct picture *picture, const struct sample_entry *sample)
{
    const struct byte_limits *limits = &sample->limits;
    return size_min(picture->are_files ? limits->max_mapped_bytes : limits->max_physical_bytes, limits->max_bytes);
}

bool plot_can_make(const char *output)
{
    const char *end = strrchr(output, '.');
    return end && (strcmp(end, ".svg") == 0 || strcmp(end, ".png") == 0 || strcmp(end, ".pdf") == 0);
}

/* ---- layers ---- */

static struct layer *find_layer(const struct picture *picture, const char *class)
{
    for (size_t i = 0; i < picture->count; i++) {
        if (strcmp(picture->layers[i].name, class) == 0) {
            return &picture->layers[i];
        }
    }
    return NULL;
}

static struct layer *get_layer(struct picture *picture, const char *class)
{
    struct layer *found = find_layer(picture, class);
    if (found) {
        return found;
    }
    struct layer *layers = reallocarray(picture->layers, picture->count + 1, sizeof *layers);
    if (!layers) {
        return NULL;
    }
    picture->layers = layers;
    found = &layers[picture->count++];
    *found = (struct layer){.limit = LIMIT_OFF};
    text_copy(found->name, sizeof found->name, class);
    return found;
}

static int compare_layers(const void *a, const void *b)
{
    const struct layer *one = a, *other = b;
    int order = (one->most < other->most) - (one->most > other->most);
    return order ? order : strcmp(one->name, other->name);
}

/* Finds the classes, and how large the numbers are. False: no memory. */
static bool look(struct picture *picture)
{
    uint64_t most = 0;
    for (size_t i = 0; i < picture->samples->count; i++) {
        const struct sample_entry *sample = &picture->samples->at[i];
        bool has_limit = limit_of(picture, sample) != LIMIT_OFF;
        most = size_max(most, size_max(held(picture, sample), has_limit ? limit_of(picture, sample) : 0));
        if (!sample->class[0]) {
            picture->has_limit = picture->has_limit || has_limit;
        } else if (held(picture, sample)) {
            struct layer *layer = get_layer(picture, sample->class);
            if (!layer) {
                return false;
            }
            layer->most = size_max(layer->most, held(picture, sample));
            layer->has_limit = layer->has_limit || has_limit;
        }
    }
    if (picture->count) {
        qsort(picture->layers, picture->count, sizeof *picture->layers, compare_layers);
    }
    picture->count = size_min(picture->count, LAYERS_MOST);
    for (picture->unit = 1; most / picture->unit >= 1024 && picture->unit < UINT64_C(1) << 40;) {
        picture->unit *= 1024;
    }
    return true;
}

/* ---- data ---- */

/* gnuplot knows no time zone: it is told local time as if that were UTC. */
static int64_t local_seconds(uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm date;
    return (int64_t)seconds + (localtime_r(&seconds, &date) ? date.tm_gmtoff : 0);
}

static void write_number(FILE *out, const struct picture *picture, uint64_t bytes)
{
    if (bytes == LIMIT_OFF) {
        (void)fputs(" ?", out);
    } else {
        (void)fprintf(out, " %.9g", (double)bytes / (double)picture->unit);
    }
}

/* The time, each layer with those below it, all of them with the rest; then the limits. */
static void write_row(FILE *out, const struct picture *picture, const struct sample_entry *whole)
{
    uint64_t sum = 0;
    (void)fprintf(out, "%" PRId64 ".%03u", local_seconds(whole->at_unix_ms), (unsigned)(whole->at_unix_ms % 1000));
    for (size_t i = 0; i < picture->count; i++) {
        sum += picture->layers[i].now;
        write_number(out, picture, sum);
    }
    write_number(out, picture, size_max(sum, held(picture, whole)));
    write_number(out, picture, limit_of(picture, whole));
    for (size_t i = 0; i < picture->count; i++) {
        write_number(out, picture, picture->layers[i].limit);
    }
    (void)fputc('\n', out);
}

static void clear_row(const struct picture *picture)
{
    for (size_t i = 0; i < picture->count; i++) {
        picture->layers[i].now = 0; /* the limit stays as it was: a class that holds nothing is not sampled */
    }
}

/* A row ends where the next sample of the whole broker begins. An empty line interrupts the curves. */
static void write_data(FILE *out, const struct picture *picture)
{
    const struct sample_entry *whole = NULL;
    (void)fputs("$data << EOD\n", out);
    for (size_t i = 0; i <= picture->samples->count; i++) {
        const struct sample_entry *sample = i < picture->samples->count ? &picture->samples->at[i] : NULL;
        struct layer *layer = sample && sample->class[0] ? find_layer(picture, sample->class) : NULL;
        if (layer) {
            layer->now = held(picture, sample);
            layer->limit = limit_of(picture, sample);
        }
        if (sample && sample->class[0]) {
            continue;
        }
        if (whole) {
            write_row(out, picture, whole);
        }
        if (whole && sample && sample->at_unix_ms > whole->at_unix_ms + GAP_MS) {
            (void)fputc('\n', out);
        }
        whole = sample;
        clear_row(picture);
    }
    (void)fputs("EOD\n", out);
}

/* ---- the plot ---- */

/* A text in single quotes, in which only they mean something. */
static void write_quoted(FILE *out, const char *text)
{
    (void)fputc('\'', out);
    for (; *text; text++) {
        (void)fputs(*text == '\'' ? "''" : (char[]){*text, '\0'}, out);
    }
    (void)fputc('\'', out);
}

static void write_terminal(FILE *out, const char *output)
{
    const char *end = output ? strrchr(output, '.') : ".svg";
    (void)fprintf(out, "set terminal %s background rgb 'white'\n",
                  strcmp(end, ".png") == 0   ? "pngcairo noenhanced size 1200,600"
                  : strcmp(end, ".pdf") == 0 ? "pdfcairo noenhanced size 12in,6in"
                                             : "svg noenhanced size 1200,600 dynamic");
}

static const char *unit_name(uint64_t unit)
{
    static const char *const names[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t power = 0;
    for (; unit > 1; unit /= 1024) {
        power++;
    }
    return names[power];
}

static void write_axes(FILE *out, const struct picture *picture)
{
    const struct plot_samples *samples = picture->samples;
    char from[CELL_BYTES], to[CELL_BYTES];
    event_time_to_text(samples->since, from);
    event_time_to_text(samples->until, to);
    (void)fprintf(out,
                  "set title '%s held, by class, from %s to %s'\n"
                  "set xdata time\nset timefmt '%%s'\nset format x '%%H:%%M:%%S'\nset xtics rotate by -30\n"
                  "set datafile missing '?'\nset yrange [0:*]\nset ylabel '%s'\nset grid y\n"
                  "set key outside right top\nset style fill solid 0.8 noborder\n",
                  picture->are_files ? "mapped files" : "RAM", from, to, unit_name(picture->unit));
    (void)fprintf(out, "set xrange ['%" PRId64 "':'%" PRId64 "']\n", local_seconds(samples->since),
                  local_seconds(samples->until) + 1); /* as a whole: the last second, too */
}

static void write_layers(FILE *out, const struct picture *picture)
{
    size_t rest = picture->count + 2;
    (void)fprintf(out, "plot $data using 1:%zu with filledcurves x1 lc rgb '#bbbbbb' title '(pool, other)'", rest);
    for (size_t i = picture->count; i-- > 0;) {
        (void)fprintf(out, ", \\\n  $data using 1:%zu with filledcurves x1 lt %zu title ", i + 2, i + 1);
        write_quoted(out, picture->layers[i].name);
    }
    if (picture->has_limit) {
        (void)fprintf(out, ", \\\n  $data using 1:%zu with lines lw 2 lc rgb 'red' title 'limit'", rest + 1);
    }
    for (size_t i = 0; i < picture->count; i++) {
        if (picture->layers[i].has_limit) {
            char title[MESSAGE_CLASS_SIZE + 8];
            (void)snprintf(title, sizeof title, "limit of %s", picture->layers[i].name);
            (void)fprintf(out, ", \\\n  $data using 1:%zu with lines dt 2 lw 2 lt %zu title ", rest + 2 + i, i + 1);
            write_quoted(out, title);
        }
    }
    (void)fputc('\n', out);
}

bool plot_write(FILE *out, const struct plot_samples *samples, bool are_files, const char *output)
{
    struct picture picture = {.samples = samples, .are_files = are_files};
    bool is_complete = look(&picture);
    if (is_complete) {
        write_terminal(out, output);
        write_data(out, &picture);
        write_axes(out, &picture);
        write_layers(out, &picture);
    }
    free(picture.layers);
    return is_complete;
}
