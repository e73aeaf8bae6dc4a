/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time, local ones for people. */
#include <stdio.h>
#include <time.h>

#include "client/ctl/events.h"
#include "proto/base/size.h"

static struct event_window said = {0, UINT64_MAX};

uint64_t event_time_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NANOSECONDS_PER_MILLISECOND;
}

/* Whether the whole text has this form; what it lacks is as in `ret`. */
static bool reads(const char *text, const char *form, struct tm *ret)
{
    struct tm time = *ret;
    const char *end = strptime(text, form, &time);
    if (!end || *end) {
        return false;
    }
    *ret = time;
    return true;
}

static bool take_date(const char *text, uint64_t *ret)
{
    static const char *const forms[] = {
        "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M"};
    time_t now = time(NULL);
    struct tm date;
    if (!localtime_r(&now, &date)) {
        return false;
    }
    date.tm_sec = date.tm_min = date.tm_hour = 0;
    date.tm_isdst = -1;
    bool is_date = false;
    for (size_t i = 0; !is_date && i < sizeof forms / sizeof *forms; i++) {
        is_date = reads(text, forms[i], &date);
    }
    int day = date.tm_mday;
    time_t seconds = is_date ? mktime(&date) : -1;
    *ret = (uint64_t)seconds * 1000;
    return seconds >= 0 && date.tm_mday == day; /* mktime() takes a 31st of November for the next day */
}

static int take_time(const char *option, const char *text, uint64_t *ret)
{
    uint64_t ago;
    if (duration_from_text(text, &ago) == 0) {
        *ret = size_subtract_floored(event_time_now(), ago);
        return CTL_DONE;
    }
    return take_date(text, ret)
               ? CTL_DONE
               : ctl_usage("%s `%s`: a time is expected: how long ago (10min), a time of today (15:00), "
                           "or a date and a time (\"2026-11-26 15:00\")",
                           option, text);
}

int event_window_take_since(struct ctl_options *options, const char *value)
{
    (void)options;
    return take_time("--since", value, &said.since);
}

int event_window_take_until(struct ctl_options *options, const char *value)
{
    (void)options;
    return take_time("--until", value, &said.until);
}

int event_window_said(struct event_window *ret)
{
    *ret = said;
    return said.since <= said.until ? CTL_DONE : ctl_usage("--since is later than --until: nothing is between them");
}

const char *event_time_to_text(uint64_t unix_ms, char cell[CELL_BYTES])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm date;
    cell[0] = '\0';
    if (unix_ms && localtime_r(&seconds, &date)) {
        (void)strftime(cell, CELL_BYTES, "%Y-%m-%d %H:%M:%S", &date);
    }
    return cell;
}
