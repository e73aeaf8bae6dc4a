/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of log, to standard error or to the journal. */
#include "daemon/runtime/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, FIELD_BYTES = 64, FIELDS_MAX = 7 };

static enum log_level highest = LOG_LEVEL_INFO;
static bool is_journal, has_time;
static log_listener *listener;
static void *listener_data;

static const char *const message_ids[LOG_EVENTS] = {
    [LOG_EVENT_LEASE_EXPIRED] = "b2b7726651ec4fec917907ca8324f416",
    [LOG_EVENT_LEASE_REVOKED] = "b3a87367e95a4dd38493f23cf12b5c72",
    [LOG_EVENT_SEGMENT_TAMPERED] = "73d31c30700b47f2bf0a1929a5f22a64",
    [LOG_EVENT_CLIENT_CUT_OFF] = "9a4b0149e21e46f1b4a255df7925722a",
    [LOG_EVENT_RESTARTED] = "8aafb7d2114842c69ed41b005d7ce448",
    [LOG_EVENT_AWAY] = "65beb4a691924d4a97b551cc9196d0ac",
    [LOG_EVENT_RELOADED] = "e249da103e6046148ab9d3a22b280ffa",
    [LOG_EVENT_BAD_CONFIGURATION] = "af493f2ef20f4394b0847463345dd7e7",
    [LOG_EVENT_READY] = "e24f6a7666db44b4bf4205d95cd1389e",
    [LOG_EVENT_ENDED] = "fc3cd79b4990493d8f7f5d6b0ff8522e",
    [LOG_EVENT_HANDED_OVER] = "003548e969364c91b793e1cd4795e8dc",
    [LOG_EVENT_RESERVED] = "6ab4cf9f6c2d4f1d9b1f0a5c3a7e4d21",
    [LOG_EVENT_UNRESERVED] = "d07e1b5a49c84b3cb6a2f8513c9e7f64",
    [LOG_EVENT_BLOCK_TAKEN] = "69c4620e34434b1da857b79811bfe635",
};

void log_set_level(enum log_level level)
{
    highest = level;
}

bool log_shows(enum log_level level)
{
    return level <= highest;
}

/* systemd says device and inode of the stream that it connected. */
void log_open(void)
{
    struct stat status;
    unsigned long long device, inode;
    const char *stream = getenv("JOURNAL_STREAM");
    is_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
                 status.st_dev == device && status.st_ino == inode;
    has_time = !is_journal;
    tzset(); /* reads the time zone, and keeps it: no line of log is to read a file */
}

void log_listen(log_listener *new_listener, void *data)
{
    listener = new_listener;
    listener_data = data;
}

/* ---- the journal ---- */

struct fields {
    char text[FIELDS_MAX][FIELD_BYTES];
    struct iovec parts[FIELDS_MAX + 1];
    int count;
};

__attribute__((format(printf, 2, 3))) static void add(struct fields *fields, const char *format, ...)
{
    char *text = fields->text[fields->count];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, FIELD_BYTES, format, arguments);
    va_end(arguments);
    fields->parts[fields->count++] = (struct iovec){text, length > 0 ? (size_t)length : 0};
}

static void send(enum log_level level, const struct log_about *about, char *message, size_t length)
{
    static const int priorities[] = {3, 4, 6, 7};
    struct fields fields = {.count = 0};
    add(&fields, "PRIORITY=%d", priorities[level]);
    add(&fields, "SYSLOG_IDENTIFIER=membrokerd");
    if (about && message_ids[about->event]) {
        add(&fields, "MESSAGE_ID=%s", message_ids[about->event]);
    }
    if (about && about->lease) {
        add(&fields, "MEMBROKER_LEASE=%" PRIu64, about->lease);
    }
    if (about && about->session) {
        add(&fields, "MEMBROKER_SESSION=%" PRIu64, about->session);
    }
    if (about && about->has_uid) {
        add(&fields, "MEMBROKER_UID=%" PRIu32, about->uid);
    }
    if (about && about->reservation) {
        add(&fields, "MEMBROKER_RESERVATION=%s", about->reservation);
    }
    fields.parts[fields.count++] = (struct iovec){message, length};
    if (sd_journal_sendv(fields.parts, fields.count) < 0) {
        (void)fprintf(stderr, "membrokerd: %s\n", message);
    }
}

/* ---- lines ---- */

enum { TIME_BYTES = 64 };

/* "2026-11-26T02:37:27.123+0000 ", or nothing while log_open() was not called. */
static const char *time_text(char *text)
{
    struct timespec now;
    struct tm local;
    text[0] = '\0';
    if (has_time && clock_gettime(CLOCK_REALTIME, &now) == 0 && localtime_r(&now.tv_sec, &local)) {
        long minutes = local.tm_gmtoff / 60, away = labs(minutes);
        (void)snprintf(text, TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03ld%c%02ld%02ld ", local.tm_year + 1900,
                       local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                       now.tv_nsec / 1000000, minutes < 0 ? '-' : '+', away / 60, away % 60);
    }
    return text;
}

static void write_line(enum log_level level, const struct log_about *about, char *line, size_t key, size_t length)
{
    static const char *const words[] = {"error: ", "warning: ", "", "debug: "};
    char time[TIME_BYTES];
    if (!is_journal) {
        (void)fprintf(stderr, "%smembrokerd: %s%s\n", time_text(time), words[level], line + key);
    } else {
        send(level, about, line, key + length);
    }
}

void log_line(enum log_level level, const struct log_about *about, const char *format, ...)
{
    static const char key[] = "MESSAGE=";
    char line[LINE_BYTES] = "MESSAGE=";
    enum { KEY = sizeof key - 1 };
    bool is_told = listener && about && about->event;
    if (!log_shows(level) && !is_told) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + KEY, sizeof line - KEY, format, arguments);
    va_end(arguments);
    if (is_told) {
        listener(listener_data, about, line + KEY);
    }
    if (log_shows(level)) {
        write_line(level, about, line, KEY, strlen(line + KEY));
    }
}

/* ---- budgets ---- */

/* What may be written about one user. */
struct budget {
    uint64_t since; /* s; 0: nobody's */
    uint32_t uid, lines, suppressed;
};

static struct budget budgets[LOG_USERS], nobodys;

static uint64_t seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec + 1; /* never 0 */
}

/* Says what was left out, if the time is over. */
static void settle(struct budget *budget, uint64_t now)
{
    if (!budget->since || now - budget->since < LOG_BUDGET_SECONDS) {
        return;
    }
    struct budget over = *budget;
    *budget = (struct budget){0};
    if (over.suppressed && budget != &nobodys) {
        const struct log_about about = {.has_uid = true, .uid = over.uid};
        log_line(LOG_LEVEL_WARNING, &about, "lines left out about user %u: %u", over.uid, over.suppressed);
    } else if (over.suppressed) {
        log_line(LOG_LEVEL_WARNING, NULL, "lines left out: %u", over.suppressed);
    }
}

void log_summarise(void)
{
    uint64_t now = seconds();
    for (size_t i = 0; i < LOG_USERS; i++) {
        settle(&budgets[i], now);
    }
    settle(&nobodys, now);
}

static struct budget *budget_of(uint32_t uid)
{
    struct budget *unused = &nobodys;
    for (size_t i = 0; i < LOG_USERS; i++) {
        if (budgets[i].since && budgets[i].uid == uid) {
            return &budgets[i];
        }
        unused = budgets[i].since ? unused : &budgets[i];
    }
    return unused;
}

bool log_allows(const struct log_about *about)
{
    uint64_t now = seconds();
    log_summarise();
    struct budget *budget = about->has_uid ? budget_of(about->uid) : &nobodys;
    if (!budget->since) {
        *budget = (struct budget){.since = now, .uid = about->uid};
    }
    bool allowed = budget->lines < LOG_BUDGET_LINES;
    *(allowed ? &budget->lines : &budget->suppressed) += 1;
    return allowed;
}
