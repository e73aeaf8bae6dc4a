/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the broker: for the core's own files. */
#pragma once

#include "daemon/core/broker.h"
#include "daemon/core/session.h"

RB_HEAD(segment_id_tree, segment);

struct broker {
    struct broker_options options;
    struct account host;
    struct session_table sessions;
    struct lease_table leases;
    struct segment_id_tree segments; /* all that are charged */
    uint64_t segment_count;
    struct waiting_queue waiting;
    bool retry_waiting; /* bytes came free, or limits were raised */
    bool shutting_down;
    uint64_t next_session, next_lease, next_segment;
    struct broker_counters counters;
    /* What the host had available at the last look, and what was granted since: RAM that is granted but
     * not touched yet does not show in the host's figures. */
    uint64_t host_available_bytes, host_granted_since, host_epoch;
    struct lease_end ended[MESSAGE_ENDED_MAX]; /* of the Renewed in this step's effects */
};

/* One input in the making: what its handlers share. */
struct step {
    struct broker *broker;
    uint64_t now;
    struct effect_list *effects;
};

/* ---- broker.c ---- */
void segment_tree_insert(struct broker *broker, struct segment *segment);
void segment_tree_remove(struct broker *broker, struct segment *segment);
struct segment *segment_tree_next(const struct broker *broker, uint64_t after);

/* ---- answer.c: answers; nothing is said to a request with id 0 ---- */
struct reply *answer(struct step *step, void *peer, uint64_t request_id, enum reply_kind kind);
struct reply *tell(struct step *step, void *peer, enum reply_kind kind); /* an event */
__attribute__((format(printf, 5, 6))) void answer_error(struct step *step, void *peer, uint64_t request_id,
                                                        enum error_code code, const char *format, ...);

/* ---- refusal.c ---- */
struct denial {
    enum error_code code; /* ERROR_LIMIT or ERROR_HOST_MEMORY */
    struct ledger_excess excess;
    enum location location;
    bool frees_suffice;
};

/* Answers a request that does not fit, and asks the largest holders to trim. */
void refuse(struct step *step, const struct session *session, uint64_t request_id, const struct denial *denial);

/* ---- grant.c ---- */
/* Serves an acquire or extend, by a grant in the making or an answer. False: it must wait for frees; nothing was done.
 */
bool grant_try(struct step *step, struct session *session, const struct request *request);
void grant_made(struct step *step, struct segment *segment, const struct input_segment *made);
void grant_failed(struct step *step, struct segment *segment, const struct input_segment *failed);

/* The answer to the request that asked for a living segment. */
void grant_answer(struct step *step, const struct segment *segment, uint64_t request_id);

/* ---- repeat.c ---- */
/* What a request is remembered by: its id, or that of the request that it repeats. */
uint64_t request_key(const struct request *request);

/* Answers a request that was served before, or lets the one that is under way answer it. False: it is new. */
bool repeat_answer(struct step *step, struct session *session, const struct request *request);

/* ---- place.c: reserving bytes ---- */
enum placement { PLACED, WAITS, DENIED };
enum placement place(struct broker *broker, struct account *account, uint64_t bytes, enum location wanted,
                     struct charge *ret_charge, struct denial *ret_denial);
void place_count_host(struct broker *broker, struct segment *segment);
void place_uncount_host(struct broker *broker, const struct segment *segment);

/* ---- queue.c: requests that wait for frees ---- */
/* Serves an acquire or extend now, or lets it wait. */
void queue_request(struct step *step, struct session *session, const struct request *request);
void queue_retry(struct step *step);
void queue_drop_session(struct broker *broker, struct session *session);

/* ---- ending.c ---- */
void lease_end(struct step *step, struct lease *lease, enum end_reason reason);
void session_over(struct step *step, struct session *session, enum end_reason reason);
void ending_work(struct step *step);
void segment_freed(struct step *step, struct segment *segment);
/* Removes a segment's charge and the segment; then its lease and session, where it was the last. */
void segment_drop(struct step *step, struct segment *segment);
const char *end_reason_words(enum end_reason reason);

/* ---- judge.c ---- */
void judge_due(struct step *step);
