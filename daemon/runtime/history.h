/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened: the newest events, in a memfd that the service manager keeps over a restart. Grants, refusals and
 * endings of one session that follow each other within a second are one event with a count: so a client that is granted
 * thousands of leases in a second costs an addition each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/effect.h"
#include "daemon/runtime/history_memory.h"

struct access;
struct log_about;

struct history {
    struct event_ring *ring; /* the memory's; NULL: there is no history */
    struct history_memory memory;
};

/* The newest events of a peer that may still grow. */
struct history_marks {
    struct event_mark granted, extended, refused, ended;
};

/* Of whom an event is. */
struct history_who {
    struct history_marks *marks;
    const struct identity *identity;
    uint64_t session;
    const char *client, *class;
};

/* A history of at most so many bytes (0: none) that goes on with what an earlier daemon left. If it can't be made, that
 * is logged, and there is none. */
void history_open(struct history *history, uint64_t bytes, struct handed_descriptors *handed);
void history_close(struct history *history);

/* ---- what happened; without a history nothing is done ---- */

/* True: it was counted with an event before, and needs no `who`. */
bool history_granted_again(struct history *history, struct history_marks *marks, const struct grant_reply *grant);
void history_granted(struct history *history, const struct history_who *who, const struct grant_reply *grant);
void history_refused(struct history *history, const struct history_who *who, const struct error_reply *error);
void history_ended(struct history *history, const struct history_who *who, const struct effect_ended *ended);
void history_block(struct history *history, const struct effect_block *block);
void history_reservations(struct history *history, const struct effect_reservations *reservations);

/* A line of the log, some of which are events: for log_listen(). */
void history_logged(void *of, const struct log_about *about, const char *message);

/* What classes hold now. */
void history_sample(struct history *history, struct sample_entry *samples, size_t count);

/* ---- a page of it ---- */

struct history_viewer {
    const struct access *access;
    uint32_t daemon_uid;
    const struct identity *identity;
};

/* Fills the events of a listing: at most MESSAGE_EVENTS_MAX, in `entries`. */
void history_list(const struct history *history, const struct history_viewer *viewer, const struct list_request *list,
                  struct event_entry *entries, struct listing_reply *ret);

/* The same of samples: at most MESSAGE_SAMPLES_MAX. */
void history_list_samples(const struct history *history, const struct history_viewer *viewer,
                          const struct list_request *list, struct sample_entry *entries, struct listing_reply *ret);
