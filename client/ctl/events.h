/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `membrokerctl events` share. */
#pragma once

#include "client/ctl/listing.h"

/* What --since and --until say, in milliseconds since 1970: "10min" ago, "15:00", "2026-11-26 15:00:30". */
struct event_window {
    uint64_t since; /* 0: not said */
    uint64_t until; /* UINT64_MAX: not said */
};

int event_window_take_since(struct ctl_options *options, const char *value);
int event_window_take_until(struct ctl_options *options, const char *value);

/* What the options said. CTL_DONE, or CTL_USAGE after a message: it begins behind its end. */
int event_window_said(struct event_window *ret);

uint64_t event_time_now(void);

/* One word for why a lease or a block ended; "": it has not. */
const char *event_reason_word(enum end_reason reason);

/* "2026-11-26 15:00:30", local time; "" for 0. */
const char *event_time_to_text(uint64_t unix_ms, char cell[CELL_BYTES]);

extern const struct listing_kind events_listing;

/* Prints events as they come, each on a line, until `until` in milliseconds since 1970, or until standard output is
 * closed or the program is ended. */
int events_follow(const struct ctl_options *options, const struct listing_kind *kind, uint64_t until);
