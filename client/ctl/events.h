/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `membrokerctl events` share. */
#pragma once

#include "client/ctl/listing.h"

/* What --since and --until say, in milliseconds since 1970: "10min" ago, "15:00", "2026-11-26 15:00:30". CTL_DONE, or
 * CTL_USAGE after a message. */
int event_time_from_text(const char *option, const char *text, uint64_t *ret);

/* The usage error of a time that begins behind its end. */
int event_time_fail_order(void);

uint64_t event_time_now(void);

/* "2026-11-26 15:00:30", local time; "" for 0. */
const char *event_time_to_text(uint64_t unix_ms, char cell[CELL_BYTES]);

/* Prints events as they come, each on a line, until `until` in milliseconds since 1970, or until standard output is
 * closed or the program is ended. */
int events_follow(const struct ctl_options *options, const struct listing_kind *kind, uint64_t until);
