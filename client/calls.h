/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that a thread waits for. A call lives on that thread's stack. The client's lock is held. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/lease.h"
#include "client/waiter.h"
#include "membroker.h"
#include "proto/message.h"

/* What a reader learns about a block. */
struct attached {
    uint64_t block; /* its number */
    char type[MESSAGE_NAME_SIZE];
    size_t metadata_bytes;
    uint8_t metadata[MESSAGE_METADATA_MAX];
};

/* Where the bytes of an object go, if they fit. */
struct got_answer {
    void *buffer;
    size_t size;
    size_t bytes;   /* that it has */
    uint64_t board; /* that has it; 0: none that may be opened */
};

/* A part of a board. */
struct board_part_answer {
    int fd; /* the caller's */
    uint64_t bytes;
};

/* What became of the blocks that are watched. */
struct changes_answer {
    size_t count;
    struct block_change_entry changes[MESSAGE_CHANGES_MAX];
    uint64_t revision;
    bool more, lost;
};

/* A part of the list of blocks. */
struct block_page {
    struct block_entry blocks[MESSAGE_BLOCKS_MAX];
    size_t count;
    bool has_more;
};

struct call {
    uint64_t id;
    struct request *request; /* sent again, as a repetition, if the session is resumed; NULL: the call fails then */
    uint64_t first_id;       /* under which it was sent first */
    uint64_t begun_at;       /* ms */
    uint64_t wait_until;     /* ms: its wait in the broker's queue ends, on any connection; 0: it has none */
    uint64_t repeated_at;    /* ms: when it was sent again last; 0: it was not */
    bool is_cancelled;
    bool owes_cancel;                     /* the broker does not know yet that it is cancelled */
    bool owes_request;                    /* the session was resumed, and this connection has not sent it yet */
    mb_lease *lease;                      /* a grant goes here: a new lease, or the one that is extended */
    unsigned extent;                      /* the granted segment's index in the lease */
    struct attached *attached;            /* of a call that attaches a block, and then `lease` is the view; else NULL */
    struct got_answer *got;               /* of a call that gets an object; else NULL */
    struct board_part_answer *board_part; /* of a call that opens a board; else NULL */
    struct changes_answer *changes;       /* of a call that watches blocks; else NULL */
    struct block_page *blocks;            /* of a call that lists blocks; else NULL */
    enum end_reason ended;                /* why the block ended, if that is the error */
    bool comes_free;                      /* what a put lacks is being freed, if that is the error */
    bool is_done;
    int result;           /* 0, or negative errno with the sentence below */
    struct waiter waiter; /* of a thread that does not read the socket itself */
    char sentence[MESSAGE_SENTENCE_SIZE];
    struct refusal refusal; /* what the broker says beside the sentence */
    TAILQ_ENTRY(call) in_client;
};

TAILQ_HEAD(call_list, call);

struct calls {
    uint64_t begun; /* how many calls began */
    struct call_list sent;
    struct call_list done;   /* their threads sleep and are still to be woken: calls_wake() */
    struct call_list unsent; /* they wait for a connection, or for room in the socket */
};

void calls_init(struct calls *calls);

/*
 * If no thread reads the socket, one that waits for an answer shall read: the newest, since its answer comes last and
 * the reading changes hands least often.
 */
void calls_hand_over(mb_client *client);

/* Lets the threads of finished calls go. They wake up by wakes_send(), which needs no lock. */
void calls_wake(mb_client *client, struct wakes *wakes);

/* The same immediately. */
void calls_wake_now(mb_client *client);

/* The thread of a finished call has noticed. */
void calls_forget(mb_client *client, struct call *call);

/* NULL: no call waits for an answer of this id. */
struct call *calls_find(const mb_client *client, uint64_t id);

/* The call is done. If its thread sleeps, calls_wake() is to follow. */
void calls_finish(mb_client *client, struct call *call, int result, const char *sentence);

/* No answer will come to what was sent: fails all of it. */
void calls_fail_all(mb_client *client);

/* The session is lost: fails what can't be repeated in another one. */
void calls_fail_in_session(mb_client *client);

/* The connection broke: fails what can't be repeated on another one. */
void calls_suspend(mb_client *client);

/* Ends cancelled requests, except for those to extend. The connection is down, so the broker has forgotten them. */
void calls_end_cancelled(mb_client *client);

/* Makes the request a repetition under another id, with what is left of its wait. */
void calls_make_repetition(struct call *call, uint64_t id);

/* Whether the request can be sent again on another connection. */
bool calls_is_repeatable(const struct request *request);

/* The field that says how long the broker may let the request wait; NULL: such a request does not wait. */
uint32_t *calls_wait_field(struct request *request);

/* Writes what is left of the wait into the request. */
void calls_set_wait(const struct call *call);
