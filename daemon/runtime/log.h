/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's log: an event a line on standard error; where that is the journal, with fields that it can be searched
 * by (MEMBROKER_LEASE, MEMBROKER_SESSION, MEMBROKER_UID, MEMBROKER_RESERVATION, MESSAGE_ID). One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Kinds of events that administrators look for; each has a MESSAGE_ID of its own. */
enum log_event {
    LOG_EVENT_NONE,
    LOG_EVENT_LEASE_EXPIRED,
    LOG_EVENT_LEASE_REVOKED,
    LOG_EVENT_SEGMENT_TAMPERED,
    LOG_EVENT_CLIENT_CUT_OFF,
    LOG_EVENT_RESTARTED,
    LOG_EVENT_AWAY,
    LOG_EVENT_RELOADED,
    LOG_EVENT_BAD_CONFIGURATION,
    LOG_EVENT_READY,
    LOG_EVENT_ENDED,
    LOG_EVENT_HANDED_OVER,
    LOG_EVENT_RESERVED,
    LOG_EVENT_UNRESERVED,
    LOG_EVENT_BLOCK_TAKEN,
    LOG_EVENTS
};

/* Whom a line is about; zeros: nobody. */
struct log_about {
    enum log_event event;
    uint64_t lease, session;
    bool has_uid;
    uint32_t uid;
    const char *reservation; /* its name; NULL: none */
};

/* Lines above this level are dropped. The level at start is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* Whether lines of this level are written: for what would be costly to put together in vain. */
bool log_shows(enum log_level level);

/* Finds out whether standard error is the journal. If it is not, lines have the time in front from now on. */
void log_open(void);

/* `about` may be NULL. */
__attribute__((format(printf, 3, 4))) void log_line(enum log_level level, const struct log_about *about,
                                                    const char *format, ...);

/* Tells the listener of each line about an event, whether it is written or not; NULL: none. */
typedef void log_listener(void *data, const struct log_about *about, const char *message);
void log_listen(log_listener *listener, void *data);

/*
 * True: another line about this user may be written: a user can't flood the log, however often it connects. At most
 * LOG_BUDGET_LINES in LOG_BUDGET_SECONDS; what is about nobody has a budget of its own, and users beyond LOG_USERS at
 * once share that.
 */
enum { LOG_BUDGET_LINES = 20, LOG_BUDGET_SECONDS = 10, LOG_USERS = 64 };
bool log_allows(const struct log_about *about);

/* Says how many lines were left out, of each budget whose time is over. Now and then. */
void log_summarise(void);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, NULL, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)
