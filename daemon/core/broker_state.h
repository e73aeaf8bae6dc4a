/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the broker: for the core's own files. */
#pragma once

#include "daemon/core/broker.h"
#include "daemon/core/learned.h"
#include "daemon/core/pool.h"
#include "daemon/core/session.h"

RB_HEAD(segment_id_tree, segment);

enum { REFUSALS_REMEMBERED = 16 };

/* Of a session that is over. */
struct buried_refusal {
    uint64_t session, refused_at; /* 0: none */
    int32_t pid;
    uint32_t uid;
    char name[MESSAGE_NAME_SIZE];
    enum location location;
    struct refusal refusal;
};

struct coming_free;

struct broker {
    struct broker_options options;
    struct account host;
    struct account_list reserves;
    struct session_table sessions;
    struct lease_table leases;
    struct segment_id_tree segments; /* all that are charged */
    uint64_t segment_count;
    struct party_table parties;
    uint64_t waiting_count, waiting_bytes;
    uint64_t waiting_beat;        /* when the queue is to be looked at even if nothing happens */
    uint64_t next_pass;           /* not before: where many wait, a pass over them takes its time; 0: at once */
    bool retry_waiting;           /* bytes came free, or limits were raised, or another request waits */
    uint32_t trim_looks;          /* for sessions to be asked to trim, in the present pass */
    struct session_list trimming; /* those whose answer is awaited */
    size_t trims_pending;         /* sessions whose answer to a trim event is awaited */
    struct lease_list revoking;   /* leases that will be taken, first due first */
    struct lease_list spared;     /* those that won't, and whose clients are to be told */
    uint64_t revoking_vain;       /* what of the leases that will be taken is held back for reserves then */
    uint64_t charged_at;          /* when classes and users were last charged for what they have beyond their share */
    uint64_t pass;                /* the number of the present pass over those who wait */
    struct pool pool;
    struct learned_table learned;
    enum pressure pressure;
    bool shutting_down;
    uint64_t next_session, next_lease, next_segment, next_waiting;
    struct broker_counters counters;
    /* What the host had available at the last look, and what was granted since: RAM that is granted but
     * not touched yet does not show in the host's figures. */
    uint64_t host_available_bytes, host_total_bytes, host_granted_since, host_epoch;
    struct buried_refusal refusals[REFUSALS_REMEMBERED]; /* the newest, as a ring */
    size_t refusal_next;
    struct coming_free *coming_free; /* EARLIEST_REMEMBERED of them, as a ring */
    size_t coming_free_next;
    struct lease_end ended[MESSAGE_ENDED_MAX]; /* of the Renewed in this step's effects */
    struct effect_list unheard;                /* of the broker's own end, when nobody listens any more */
};

/* Those who hold the most of what a limit counts, most first; kept, since the next one who asks often means the same.
 */
struct holders {
    const struct account *under; /* NULL: nothing was found out yet */
    enum ledger_limit limit;
    size_t count;
    const struct session *largest[MESSAGE_HOLDERS_MAX + 1];
};

/* One input in the making: what its handlers share. */
struct step {
    struct broker *broker;
    uint64_t now;
    struct effect_list *effects;
    struct holders holders; /* of the present handler or pass: sessions may go in between */
};

/* ---- segment.c ---- */
void segment_tree_insert(struct broker *broker, struct segment *segment);
void segment_tree_remove(struct broker *broker, struct segment *segment);
struct segment *segment_tree_next(const struct broker *broker, uint64_t after);
struct segment *segment_find(const struct broker *broker, uint64_t id);

/* Asks the shell to make a new segment that is charged and has its owner. Returns the effect, to add a file to it. */
struct effect_make *segment_begin_making(struct step *step, struct segment *segment);

/* It was made, or could not be: it is new again, and may be lent, freed, dropped or asked for anew. */
void segment_end_making(struct broker *broker, struct segment *segment);

/* Asks the shell to free it. */
void segment_begin_freeing(struct step *step, struct segment *segment);

/* ---- broker.c ---- */
/* Puts a session under a flow, whose reference it takes, and what stands above that. */
void session_join(struct broker *broker, struct session *session, struct flow *flow);

/* ---- configure.c ---- */
void configure(struct step *step, const struct broker_settings *settings);

/* ---- answer.c: answers; nothing is said to a request with id 0 ---- */
struct reply *answer(struct step *step, void *peer, uint64_t request_id, enum reply_kind kind);
struct reply *tell(struct step *step, void *peer, enum reply_kind kind); /* an event */
__attribute__((format(printf, 5, 6))) void answer_error(struct step *step, void *peer, uint64_t request_id,
                                                        enum error_code code, const char *format, ...);

/* ---- refusal.c ---- */
struct denial {
    enum error_code code;     /* ERROR_LIMIT, ERROR_HOST_MEMORY, ERROR_BUSY or ERROR_TOO_MANY */
    const struct party *full; /* of leases; NULL: it is bytes that lack */
    bool is_paused;           /* grants of RAM are, for the machine's memory pressure */
    struct ledger_excess excess;
    enum location location;
    enum error_code in_ram_code;
    uint64_t pool_bytes;         /* the pool's, where its bytes count against the limit and don't come free at once */
    struct ledger_excess in_ram; /* AUTO, to which RAM would do as well: what lacks there; else without an account */
};

/* Answers a request that does not fit, and won't wait (any longer). */
void refuse(struct step *step, struct session *session, const struct request *request, const struct denial *denial,
            uint64_t waited_ns);

/* What a refusal names where it is no limit of the ledger. */
#define LIMIT_HOST_MEMORY "available_memory"
#define LIMIT_PAUSED      "pause_ram_at"
#define LIMIT_LEASES      "max_leases"

/* That of a request for a lease, where this party has no room for one. */
struct denial denial_of_leases(const struct party *full);

void denial_figures(const struct denial *denial, struct refusal *ret);
enum ledger_limit denial_limit(const struct denial *denial);
#define HIDDEN_NAME "another user's"
/* Writes the largest holders into a refusal, by name as far as the viewer may see them. */
void fill_holders(const struct broker *broker, struct holders *holders, const struct identity *viewer,
                  const struct account *under, enum ledger_limit limit, struct refusal *refusal);

/* ---- check_request.c ---- */
/* Whether an acquire or extend makes sense; else it was answered. */
/* False after an answer: so many requests of the session are under way that another is too many. */
bool check_under_way(struct step *step, const struct session *session, const struct request *request);
bool check_acquire(struct step *step, const struct session *session, const struct request *request, uint64_t bytes);
/* The same of what the request and its class want of huge pages. */
bool check_huge_pages(struct step *step, const struct session *session, const struct request *request,
                      enum huge_pages huge_pages);
bool check_extend(struct step *step, const struct session *session, const struct request *request);

/* ---- grant.c ---- */
enum attempt {
    ATTEMPT_ANSWERED, /* by a grant in the making, or an error */
    ATTEMPT_SHORT,    /* it does not fit now: nothing was done */
};

/* Whether what is AUTO may go to a file where there is no RAM for it. */
enum file_choice {
    FILE_NEVER,
    FILE_UNLESS_FREEING, /* not while enough RAM is on its way back */
    FILE_AT_ONCE,
};

/* Serves an acquire or extend. */
enum attempt grant_try(struct step *step, struct session *session, const struct request *request,
                       enum file_choice files, struct denial *ret_denial);
void grant_made(struct step *step, struct segment *segment, const struct input_segment *made);

/* The answer to the request that asked for a living segment. */
void grant_answer(struct step *step, const struct segment *segment, uint64_t request_id);

/* A rounded size, and the location, of an acquire or extend. */
uint64_t grant_bytes(const struct broker *broker, const struct session *session, const struct request *request);
enum location grant_location(const struct broker *broker, const struct request *request);

/* Forgets a lease that never began. */
void abandon_lease(struct step *step, struct lease *lease);

/* ---- grant_failed.c ---- */
void grant_failed(struct step *step, struct segment *segment, const struct input_segment *failed);

/* ---- repeat.c ---- */
/* What a request is remembered by: its id, or that of the request that it repeats. */
uint64_t request_key(const struct request *request);

/* Answers a request that was served before, or lets the one that is under way answer it. False: it is new. */
bool repeat_answer(struct step *step, struct session *session, const struct request *request);

/* ---- place.c: reserving bytes ---- */
/* False: it does not fit now. */
bool place(struct step *step, struct account *account, uint64_t bytes, enum location wanted, enum file_choice files,
           struct charge *ret_charge, struct denial *ret_denial);
/* Whether it fits now beside what is claimed, in that location; nothing changes. */
bool place_would_fit(struct broker *broker, struct account *account, uint64_t bytes, enum location location,
                     struct denial *ret_denial);
bool place_is_paused(const struct broker *broker); /* no RAM is granted: the machine is short of it */
void place_count_host(struct broker *broker, struct segment *segment);
void place_uncount_host(struct broker *broker, const struct segment *segment);

/* ---- pool.c: segments made ahead ---- */
void pool_init(struct broker *broker);
void pool_configure(struct broker *broker);

/* A ready segment of this size, charged to the account from now on; NULL: there is none, or it does not fit. */
struct segment *pool_take(struct step *step, uint64_t bytes, struct account *account);
/* Takes a segment back that was not lent after all. */
void pool_return(struct step *step, struct segment *segment);
void pool_made(struct step *step, struct segment *segment, const struct input_segment *made);
void pool_failed(struct step *step, struct segment *segment);
void pool_count_making(struct pool *pool, uint64_t bytes, bool add); /* for segment.c */

/* Gives up ready segments of at least so many bytes, or all; returns how many bytes. */
uint64_t pool_drop(struct step *step, uint64_t bytes);
/* What is ready or being made: all of it is given up, the latter when it is made. */
uint64_t pool_bytes(const struct pool *pool);
uint64_t pool_ready_bytes(const struct pool *pool); /* without what is being made or freed */
void pool_work(struct step *step);
uint64_t pool_next_wakeup(const struct broker *broker);

/* ---- queue.c: requests that wait ---- */
/* Serves an acquire or extend now, or lets it wait. */
void queue_request(struct step *step, struct session *session, const struct request *request);
void queue_retry(struct step *step, bool is_tick);
void queue_drop_session(struct broker *broker, struct session *session);
void queue_cancel(struct step *step, struct session *session, const struct request *request);

/*
 * Walks the queue in the order in which it will be served: the first, then those after it; NULL ends. Claims matter to
 * the order: who looks on lets each claim what it did at the last look, and takes all of that back in the end.
 */
struct waiting *queue_walk_first(struct broker *broker, uint64_t now);
struct waiting *queue_walk_next(struct broker *broker, uint64_t now);
void queue_walk_claim(struct waiting *waiting);
void queue_walk_end(struct broker *broker);
uint64_t queue_next_pass(const struct broker *broker); /* UINT64_MAX: nobody waits */
uint32_t queue_level(const struct broker *broker, const struct waiting *waiting, uint64_t now);

/* ---- share.c ---- */
/* Which of two flows goes first, by what is to be looked at next in each: negative, the first does. */
int share_compare(const struct broker *broker, const struct flow *a, const struct flow *b);

/* Before a pass: charges classes and users for what they had beyond their share since the last one. */
void share_charge(struct step *step);

/* After a pass: finds out what they have beyond their share beside those who still wait. */
void share_settle(struct broker *broker);

/* ---- trim.c ---- */
#define TRIM_INTERVAL NANOSECONDS_PER_SECOND /* nobody is asked more often */

/* Asks the largest holders of what is short, lowest priority first. Returns whether any answer is awaited. */
bool trim_ask(struct step *step, const struct session *asking, const struct denial *denial);
void trim_answered(struct broker *broker, struct session *session);
void trim_expire(struct step *step);

/* ---- revoke.c ---- */
/* A lease can be taken from now on; its session's flow changes, or it ends: it can't (till then). */
void revoke_enlist(struct lease *lease);
void revoke_delist(struct lease *lease);

/*
 * Reckons what a session gains if so many bytes of a flow come free, one lot after the other, where that account is
 * what is short: what sinks below a reserve that is not the session's own is held back for that at once, and no gain.
 */
void reckon_begin(struct broker *broker);
uint64_t reckon_gain(const struct broker *broker, const struct session *session, const struct account *short_of,
                     const struct flow *flow, enum location location, uint64_t bytes);

/* Marks leases of lower priority for a request that has waited long enough; spares them when it waits no more. */
void revoke_for(struct step *step, struct waiting *waiting, const struct denial *denial);
void revoke_spare(struct broker *broker, struct waiting *waiting);

/* After a pass over all that wait: spares what none of them needs. */
void revoke_review(struct step *step);

/* Takes what is due, in a tick and after a review of what has changed; tells whoever is spared. */
void revoke_work(struct step *step, bool is_tick);
uint64_t revoke_next_wakeup(const struct broker *broker);

/* The lease ends: it is neither taken nor spared. */
void revoke_forget(struct broker *broker, struct lease *lease);

/* ---- ending.c ---- */
void lease_end(struct step *step, struct lease *lease, enum end_reason reason);
void session_over(struct step *step, struct session *session, enum end_reason reason);
void ending_work(struct step *step);
void segment_freed(struct step *step, struct segment *segment);
/* Removes a segment's charge and the segment; then its lease and session, where it was the last. */
void segment_drop(struct step *step, struct segment *segment);
const char *end_reason_words(enum end_reason reason);

/* ---- earliest.c ---- */
enum {
    EARLIEST_LOOKS = 8192,   /* at leases, for one question */
    EARLIEST_BUCKETS = 384,  /* of time: exact below 16 ms, then eight to each doubling */
    EARLIEST_REMEMBERED = 8, /* accounts and limits */
};

/* What comes free when, as it was at a time: of one account's limit, for the sessions of one flow. */
struct coming_free {
    const struct account *account;
    const struct flow *flow;
    enum ledger_limit limit;
    bool counts_leases; /* not bytes */
    uint64_t at;        /* 0: nothing is remembered here */
    struct {
        uint64_t amount, latest;
    } buckets[EARLIEST_BUCKETS];
};

/* What a session lacks: bytes of what an account's limit counts, or leases. */
struct shortage {
    const struct session *session;
    const struct account *account;
    enum ledger_limit limit;
    bool counts_leases;
    uint64_t lacking;
};

/*
 * If no lease is renewed and none comes: in how many milliseconds the leases that end first have given back what lacks.
 * UINT64_MAX: never, or it is not known: only so many leases are looked at, those first that are due first, as long as
 * *looks lasts. What was found is remembered for a second.
 */
uint64_t earliest(struct broker *broker, const struct shortage *shortage, uint64_t now, size_t *looks);

/* ---- why.c ---- */
/* The last refusal of a session that is over is remembered in its place. */
void why_bury(struct broker *broker, const struct session *session);

/* ---- queries.c ---- */
/* Whether a user's sessions, or this session, are shown to this viewer by name. */
bool broker_shows_user(const struct broker *broker, const struct identity *viewer, uint32_t uid);
bool broker_shows(const struct broker *broker, const struct identity *viewer, const struct session *session);

/* ---- judge.c ---- */
enum { JUDGED_PER_STEP = 128 }; /* leases */
void judge_due(struct step *step);
