/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl plot: the samples go to gnuplot, or with --json to standard output. */
#include "client/ctl/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/ctl/column.h"
#include "client/ctl/events.h"
#include "client/ctl/options.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

static struct event_window window;
static const char *output;
static bool are_files; /* mapped files are drawn, not RAM */

/* ---- options ---- */

static int take_output(struct ctl_options *options, const char *value)
{
    (void)options;
    output = value;
    return plot_can_make(value) ? CTL_DONE
                                : ctl_usage("--output `%s`: a name that ends in .svg, .png or .pdf is expected", value);
}

static int take_location(struct ctl_options *options, const char *value)
{
    (void)options;
    if (strcmp(value, "ram") != 0 && strcmp(value, "mmap") != 0) {
        return ctl_usage("--location `%s`: ram or mmap is expected", value);
    }
    are_files = *value == 'm';
    return CTL_DONE;
}

static const struct ctl_option list[] = {
    {"output", 'o', "FILE", "the picture: .svg, .png or .pdf (default: SVG to standard output)", take_output},
    {"since", '\0', "TIME", "from then on (default 1h)", event_window_take_since},
    {"until", '\0', "TIME", "until then (default: now)", event_window_take_until},
    {"location", '\0', "NAME", "what is drawn: ram (default) or mmap", take_location},
};

const struct ctl_option_list plot_options = {list, sizeof list / sizeof *list};

/* ---- asking ---- */

static int take_page(struct plot_samples *samples, const struct listing_reply *page)
{
    struct sample_entry *at = reallocarray(samples->at, samples->count + page->sample_count + 1, sizeof *at);
    if (!at) {
        return ctl_fail(-ENOMEM, "out of memory");
    }
    samples->at = at;
    for (size_t i = 0; i < page->sample_count; i++) {
        if (page->samples[i].at_unix_ms >= window.since && page->samples[i].at_unix_ms <= window.until) {
            at[samples->count++] = page->samples[i];
        }
    }
    return CTL_DONE;
}

static int collect(const struct ctl_options *options, struct plot_samples *ret)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_SAMPLES}};
    const struct reply *reply;
    bool more;
    do {
        int result = ctl_ask(options, &request, &reply);
        if (result != CTL_DONE) {
            return result;
        }
        more = reply->listing.more;
        request.list.after = reply->listing.last;
        result = take_page(ret, &reply->listing);
        if (result != CTL_DONE) {
            return result;
        }
    } while (more);
    return CTL_DONE;
}

/* ---- JSON ---- */

#define FIELD(name) COLUMN_FIELD(struct sample_entry, name)

static int print_samples(const struct plot_samples *samples)
{
    static const struct column fields[] = {
        {NULL, "at_unix_ms", COLUMN_NUMBER, FIELD(at_unix_ms)},
        {NULL, "class", COLUMN_TEXT, FIELD(class)},
        {NULL, "reservation", COLUMN_FLAG, FIELD(is_reservation)},
        {NULL, "physical_bytes", COLUMN_NUMBER, FIELD(physical_bytes)},
        {NULL, "mapped_bytes", COLUMN_NUMBER, FIELD(mapped_bytes)},
        {NULL, "max_bytes", COLUMN_LIMIT, FIELD(limits.max_bytes)},
        {NULL, "max_physical_bytes", COLUMN_LIMIT, FIELD(limits.max_physical_bytes)},
        {NULL, "max_mapped_bytes", COLUMN_LIMIT, FIELD(limits.max_mapped_bytes)},
    };
    json_t *array = json_array();
    for (size_t i = 0; i < samples->count; i++) {
        (void)json_array_append_new(array, columns_to_json(fields, COLUMNS_COUNT(fields), &samples->at[i]));
    }
    return ctl_print(json_pack("{s:o}", "samples", array), false);
}

/* ---- gnuplot ---- */

static int start_gnuplot(int input, int picture, pid_t *ret)
{
    char *arguments[] = {(char[]){"gnuplot"}, (char[]){"-"}, NULL};
    posix_spawn_file_actions_t actions;
    int result = posix_spawn_file_actions_init(&actions);
    if (result == 0) {
        (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        (void)posix_spawn_file_actions_adddup2(&actions, picture, STDOUT_FILENO);
        result = posix_spawnp(ret, "gnuplot", &actions, NULL, arguments, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    return -result;
}

/* Takes the descriptor. */
static bool write_program(int fd, const struct plot_samples *samples)
{
    FILE *out = fdopen(fd, "w");
    if (!out) {
        (void)close(fd);
        return false;
    }
    bool is_written = plot_write(out, samples, are_files, output);
    return fclose(out) == 0 && is_written;
}

/* Returns negative errno if the picture can't be written, of which gnuplot itself would say nothing. */
static int copy_picture(int from, int to)
{
    char bytes[16384];
    ssize_t count;
    while ((count = read(from, bytes, sizeof bytes)) > 0) {
        for (ssize_t written = 0, now; written < count; written += now) {
            now = write(to, bytes + written, (size_t)(count - written));
            if (now < 0) {
                return -errno;
            }
        }
    }
    return count < 0 ? -errno : 0;
}

static int fail_start(int result)
{
    return ctl_fail(result,
                    result == -ENOENT ? "gnuplot, which draws the picture, is not installed (Debian: apt "
                                        "install gnuplot-nox); --json prints the figures without it"
                                      : "gnuplot can't be started: %s",
                    strerrordesc_np(-result));
}

/* gnuplot draws when it has read the last line, so it is not read from before all is written. */
static int draw_on(int to, const struct plot_samples *samples)
{
    int program[2], picture[2], status;
    pid_t gnuplot = -1;
    if (pipe2(program, O_CLOEXEC) < 0) {
        return ctl_fail(-errno, "no pipe for gnuplot: %s", strerrordesc_np(errno));
    }
    cleanup(fd_closep) int input = program[0];
    if (pipe2(picture, O_CLOEXEC) < 0) {
        (void)close(program[1]);
        return ctl_fail(-errno, "no pipe for gnuplot: %s", strerrordesc_np(errno));
    }
    cleanup(fd_closep) int drawn = picture[0];
    int result = start_gnuplot(input, picture[1], &gnuplot);
    fd_closep(&input);
    (void)close(picture[1]);
    if (result < 0) {
        (void)close(program[1]);
        return fail_start(result);
    }
    (void)signal(SIGPIPE, SIG_IGN); /* either end may go before the other has written all */
    bool is_written = write_program(program[1], samples);
    bool is_stuck = output && ftruncate(to, 0) < 0 && errno != EINVAL; /* that: it has no length, as a device */
    result = is_stuck ? -errno : copy_picture(drawn, to);
    fd_closep(&drawn);
    bool is_drawn = waitpid(gnuplot, &status, 0) == gnuplot && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (result < 0) {
        return ctl_fail(result, "%s: %s", output ? output : "standard output", strerrordesc_np(-result));
    }
    return is_written && is_drawn ? CTL_DONE : ctl_fail(-EIO, "gnuplot could not draw the picture");
}

static int draw(const struct plot_samples *samples)
{
    cleanup(fd_closep) int file = output ? open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (output && file < 0) {
        return ctl_fail(-errno, "%s: %s", output, strerrordesc_np(errno));
    }
    (void)fflush(stdout);
    return draw_on(output ? file : STDOUT_FILENO, samples);
}

int plot_main(const struct ctl_options *options, int argc, char **argv)
{
    enum { USUALLY_MS = 60 * 60 * 1000 };
    struct plot_samples samples = {0};
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    if (!output && !options->json && isatty(STDOUT_FILENO)) {
        return ctl_usage("the picture needs a file: --output usage.svg");
    }
    if (event_window_said(&window) != CTL_DONE) {
        return CTL_USAGE;
    }
    samples.until = size_min(window.until, event_time_now());
    window.since = window.since ? window.since : size_subtract_floored(samples.until, USUALLY_MS);
    samples.since = window.since;
    int result = collect(options, &samples);
    if (result == CTL_DONE && options->json) {
        result = print_samples(&samples);
    } else if (result == CTL_DONE) {
        result = samples.count
                     ? draw(&samples)
                     : ctl_fail(-ENODATA, "there are no samples of that time: the broker was not there, or keeps "
                                          "none (see [history] in membroker.conf(5))");
    }
    free(samples.at);
    return result;
}
