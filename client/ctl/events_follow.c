/* SPDX-License-Identifier: Apache-2.0 */
/* Asks once a second for the events behind the last one: the broker keeps nothing for those who follow. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/events.h"
#include "client/ctl/output.h"
#include "client/ctl/text.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* Each cell of a line is at least so wide: of the columns that have a heading, in their order. */
static const int widths[] = {19, 12, 5, 9, 4, 5, 8, 7, 12, 6, 10, 0};

static void print_cell(const struct column *column, const char *text, size_t at)
{
    int width = at < sizeof widths / sizeof *widths ? widths[at] : 0, spaces = width - (int)strlen(text);
    bool is_right = column->right || column->kind <= COLUMN_DURATION || column->kind == COLUMN_COUNTED;
    int before = spaces > 0 && is_right ? spaces : 0, behind = spaces > 0 && !is_right ? spaces : 0;
    (void)fprintf(stdout, "%s%*s", at ? " " : "", before, "");
    text_print(stdout, text);
    (void)fprintf(stdout, "%*s", behind, "");
}

/* `entry` NULL: the headings. */
static void print_line(const struct listing_kind *kind, const void *entry)
{
    size_t at = 0;
    for (size_t i = 0; i < kind->column_count; i++) {
        const struct column *column = &kind->columns[i];
        char cell[CELL_BYTES];
        if (column->heading) {
            const char *text = entry ? column_cell(column, entry, cell) : column->heading;
            if (column_is_shown(column)) {
                print_cell(column, *text ? text : "-", at);
            }
            at++;
        }
    }
    (void)putchar('\n');
}

static int print_event(const struct ctl_options *options, const struct listing_kind *kind, const void *entry)
{
    if (!options->json) {
        print_line(kind, entry);
        return CTL_DONE;
    }
    return ctl_print(columns_to_json(kind->columns, kind->column_count, entry), true);
}

static int print_page(const struct ctl_options *options, const struct listing_kind *kind,
                      const struct listing_reply *page)
{
    const void *entry;
    int result = CTL_DONE;
    for (size_t i = 0; result == CTL_DONE && (entry = kind->entry(page, i)); i++) {
        struct row_facts facts = {0};
        kind->facts(entry, &facts);
        if (selection_wants(&facts) && kind->wants(entry)) {
            result = print_event(options, kind, entry);
        }
    }
    return result;
}

/* Everything behind *after that can't change any more. */
static int print_new(const struct ctl_options *options, const struct listing_kind *kind, uint64_t *after)
{
    const struct reply *reply;
    bool more;
    do {
        struct request request = {.kind = REQUEST_LIST,
                                  .list = {.what = LIST_EVENTS, .after = *after, .settled = true}};
        int result = ctl_ask(options, &request, &reply);
        if (result != CTL_DONE) {
            return result;
        }
        more = reply->listing.more;
        *after = reply->listing.last;
        result = print_page(options, kind, &reply->listing);
        if (result != CTL_DONE) {
            return result;
        }
    } while (more);
    return fflush(stdout) == 0 ? CTL_DONE : CTL_REFUSED;
}

/* ---- while there is no broker ---- */

static void pause_a_second(void)
{
    const struct timespec second = {.tv_sec = 1};
    (void)nanosleep(&second, NULL);
}

static bool is_there(const char *path)
{
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    text_copy(address.sun_path, sizeof address.sun_path, path);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* Whether all that happens until then has been told: an event can change for a second. */
static bool is_over(uint64_t until)
{
    enum { SETTLES_MS = 2000 };
    return event_time_now() >= size_add_saturated(until, SETTLES_MS);
}

/* It said that the broker went away; when it is back, what happened meanwhile is told, as far as it is wanted. */
static void wait_for_broker(const struct ctl_options *options, uint64_t until)
{
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    text_copy(path, sizeof path, ctl_socket());
    ctl_hang_up();
    bool is_back;
    while (!(is_back = is_there(path)) && !is_over(until)) {
        pause_a_second();
    }
    if (is_back && !options->json) {
        (void)fprintf(stderr, "membrokerctl: the broker is back\n");
    }
}

int events_follow(const struct ctl_options *options, const struct listing_kind *kind, uint64_t until)
{
    uint64_t after = 0;
    if (!options->json && isatty(STDOUT_FILENO)) {
        print_line(kind, NULL);
    }
    output_end_with_reader();
    int result = print_new(options, kind, &after);
    bool was_there = result == CTL_DONE;
    while (!is_over(until) && (result == CTL_DONE || (was_there && result == CTL_NO_DAEMON))) {
        if (result == CTL_NO_DAEMON) {
            wait_for_broker(options, until);
        }
        pause_a_second();
        result = print_new(options, kind, &after);
    }
    return result;
}
