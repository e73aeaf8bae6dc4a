/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a client: for the library's own files.
 *
 * One mutex guards everything in struct mb_client and its leases' lists; it is never held while waiting.
 * Allocating in a workspace and checking a lease take no lock at all.
 *
 * Who reads the socket: a thread that waits for an answer reads it itself (one at a time; the others
 * wait for it), so that an answer costs no hand-over between threads. While nobody waits, the background
 * thread, or the program's dispatching, does.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/un.h>

#include "client/clock.h"
#include "client/layers.h"
#include "client/owner.h"
#include "client/registry.h"
#include "client/thread.h"
#include "membroker.h"
#include "proto/codec.h"
#include "proto/control_page.h"
#include "proto/transport.h"

/* Where the connection stands. */
enum link_state {
    LINK_DOWN,     /* not connected; tried again at retry_at */
    LINK_GREETING, /* hello was sent */
    LINK_UP,
};

struct extent {
    uint64_t bytes;
    int fd;        /* until it is mapped; -EBADF then */
    void *address; /* NULL: not mapped */
    struct guard_entry *guard;
    bool is_present; /* its pages exist: they are mapped at once */
    bool prefault;   /* they are to be made by this process, which pays for them */
};

enum { EXTENTS_MAX = 64 };

struct mb_lease {
    mb_client *client;
    uint64_t id;
    mb_location location;
    uint32_t ttl_ms;
    bool huge_pages;
    mb_charge charge;
    bool is_plain;      /* acquired without wishes that another may not share */
    bool is_cached;     /* released by the program, kept for the next */
    uint64_t cached_at; /* ms */
    char name[MESSAGE_NAME_SIZE];
    uint64_t file_bytes;                     /* of a named file; 0: it has none */
    const struct control_slot *_Atomic slot; /* in a mapping that lives as long as the client */
    uint32_t slot_index;
    uint64_t generation;
    _Atomic uint32_t lost;       /* mb_end_reason, where the library itself found that it is */
    _Atomic uint64_t used_bytes; /* as the program reports */
    uint64_t reported_bytes;     /* as the broker knows */
    _Atomic bool is_use_known;   /* that there is any: the broker was told, or is about to be */
    bool loss_told;
    unsigned references; /* the program's, and queued events' */
    unsigned extent_count;
    struct extent extents[EXTENTS_MAX];
    TAILQ_ENTRY(mb_lease) in_client;
};

TAILQ_HEAD(lease_list, mb_lease);

/* A request that somebody waits for; lives on that thread's stack. */
struct call {
    uint64_t id;
    struct request *request; /* sent again, as a repetition, when the session is resumed; NULL: it fails then */
    uint64_t first_id;       /* under which it was sent first */
    uint64_t begun_at;       /* ms */
    uint64_t wait_until;  /* ms: its wait in the broker's queue ends, whichever connection it is on; 0: it has none */
    uint64_t repeated_at; /* ms: when it was sent again last; 0: it was not */
    bool is_cancelled, owes_cancel; /* the broker is still to be told so */
    mb_lease *lease;                /* a grant goes here: a new lease, or the one that is extended */
    unsigned extent;                /* the granted segment's index in the lease */
    bool done;
    int result; /* 0, or negative errno with the sentence below */
    char sentence[MESSAGE_SENTENCE_SIZE];
    TAILQ_ENTRY(call) in_client;
};

TAILQ_HEAD(call_list, call);

struct queued_event {
    mb_event event;
    TAILQ_ENTRY(queued_event) in_client;
};

TAILQ_HEAD(event_list, queued_event);

struct control_mapping {
    const struct control_page *page;
    ino_t inode;
    uint64_t bytes;
    uint64_t session; /* whose page it is */
    uint32_t first_slot, slots;
    SLIST_ENTRY(control_mapping) next;
};

SLIST_HEAD(control_mappings, control_mapping);

/* What was not used for this long goes back, in ms. */
enum { CLIENT_IDLE_MS = 1000 };

struct mb_client {
    pid_t owner;            /* the process that connected */
    uint64_t serial;        /* no other client of this process has it */
    _Atomic uint64_t epoch; /* a new number after each loss of a lease; no other client has it */
    struct sockaddr_un address;
    struct hello_request hello;
    unsigned flags;
    uint32_t timeout_ms;
    void (*on_event)(const mb_event *event, void *user_data);
    void *user_data;
    void (*on_reclaim)(const mb_reclaim *reclaim, void *user_data);
    uint32_t max_retries, retry_wait_ms, wait_ms;
    uint64_t cache_bytes, cached_bytes; /* most, and now */
    bool trim_asked;                    /* the broker waits to hear that it was done */
    uint64_t trim_again_at;             /* ms; 0: not */
    _Atomic uint32_t trims;             /* how often it asked */
    struct heaps *heaps;
    LIST_ENTRY(mb_client) in_process;

    pthread_mutex_t lock;
    pthread_cond_t changed;        /* a call is done, or the reader's place is free */
    _Atomic enum link_state state; /* the guard looks without the lock */
    int socket;
    int epoll;    /* of socket and wake; what mb_client_fd() gives */
    int wake;     /* eventfd: the background thread has something to do */
    bool reading; /* a waiting thread reads the socket */
    int orphan;   /* a socket that broke while a thread read it: that thread closes it */
    bool stopping;
    pthread_t thread;
    bool has_thread;

    uint64_t session;  /* 0: none yet */
    bool lost_session; /* that there was one before it */
    struct token token;
    struct lease_times times;
    bool leases_survive;              /* a restart of the broker */
    struct control_mappings controls; /* the newest first */
    uint64_t hello_id, list_id;       /* of the requests that the library made for itself; 0: none */
    uint64_t next_id;
    int connect_error; /* of the newest try */

    uint64_t renew_at;             /* ms; UINT64_MAX: nothing to renew */
    uint64_t down_since, retry_at; /* ms */
    uint32_t backoff_ms;

    struct call_list calls, unsent; /* calls that were sent, and those that wait for a connection or for room */
    struct lease_list leases;       /* that the program has */
    struct lease_list releases;     /* released, to be told the broker when the socket takes it */
    struct event_list events;
    bool is_delivering;               /* a thread is calling back */
    pthread_t deliverer;              /* that one */
    struct workspace_list workspaces; /* of all threads */
    struct codec_arena *sending, *receiving;
    struct lease_use use[MESSAGE_USE_MAX]; /* of the renewal that is being made */
    uint8_t frame[FRAME_BYTES_MAX];
    uint8_t packet[FRAME_BYTES_MAX]; /* only the reader's */
};

/* When somebody has to tend the client, in ms of client_milliseconds(); UINT64_MAX: never. With the lock held. */
uint64_t client_due(const mb_client *client);

/* ---- link.c: the connection. All with the lock held. ---- */

/* Begins to connect: connects and sends the hello. Returns 0, or negative errno when there is nobody. */
int link_open(mb_client *client);

/* The connection broke: calls under way fail, and a new one is tried soon. */
void link_broke(mb_client *client);

/* Sends a request. -EAGAIN: the socket is full. On another error the link is down. */
int link_send(mb_client *client, const struct request *request);

/* What the timers want: reconnecting and renewing. */
void link_tend(mb_client *client);

/* The broker may not know what was reported: all of it is reported again. */
void link_forget_use(mb_client *client);

/* A lease that was unused so far is used now: the broker is told soon. Takes the lock. */
void link_report_use(mb_lease *lease);

/* When link_tend() is due, in ms of client_milliseconds(); UINT64_MAX: never. */
uint64_t link_due(const mb_client *client);

/* Whether the session, and all that is in it, can't be expected back. */
bool link_is_hopeless(const mb_client *client, uint64_t now);

/* Fails what is under way: nobody will answer it. */
void link_fail_calls(mb_client *client);

/* The session is lost: fails what can't be repeated in another one. */
void link_fail_extends(mb_client *client);

/* Sends again what was under way when the connection broke. */
void link_repeat_calls(mb_client *client);

/* Sends the releases that wait, as far as the socket takes them. */
void link_flush_releases(mb_client *client);

/* Lets the background thread or the program's poll see the socket, or not. */
void link_watch(mb_client *client, bool watched);

/* ---- control.c; with the lock held ---- */

/* Maps a control page of this session, which begins with this slot, unless it is mapped already. 0, or negative errno
 * and what is wrong. */
int control_take(mb_client *client, uint64_t session, int fd, const struct control_page_event *page,
                 const char **ret_fault);

/* A slot of the client's session; NULL: there is no such one. */
const struct control_slot *control_find(const mb_client *client, uint32_t slot);

/* Memory pressure, as the broker has written it. */
uint32_t control_pressure(const mb_client *client);

/* Removes the mappings. */
void control_unmap(mb_client *client);

/* ---- receive.c ---- */

/* Reads one packet without holding the lock, then handles it. False: there was none, or the link broke. */
bool receive_one(mb_client *client, bool wait);

/* ---- call.c ---- */

/*
 * Sends and waits for the answer. Returns 0 or negative errno with the sentence set. Takes the lock. The request may be
 * changed. -EDEADLK: this is an event callback, which must not wait.
 */
int call_broker(mb_client *client, struct request *request, struct call *call);

/* Makes the request a repetition, under a new id, with what is left of its wait. */
void call_repeat(mb_client *client, struct call *call);

/* Lets the link be tended while this thread waits for it, for a moment; the lock is given up meanwhile. */
void call_pause(mb_client *client);

/* ---- cancel.c; with the lock held ---- */

/* Tells the broker which waits were cancelled, as far as the socket takes it; and whether there are any to tell. */
void cancels_send(mb_client *client);
bool cancels_are_owed(const mb_client *client);

/* The connection is broken: ends the calls that were cancelled and need no answer any more. */
void cancels_end_unheard(mb_client *client);

/* ---- events.c ---- */

/* Queues an event for the program; with the lock held. */
void event_push(mb_client *client, mb_event_type type, mb_lease *lease, const mb_event *details);

/*
 * Tells the program what is queued. Without the lock; from the thread that may call back. One thread does at a time:
 * another finds nothing to do.
 */
void events_deliver(mb_client *client);

/* Whether this thread is in a callback of the client. With the lock held. */
bool events_is_callback(const mb_client *client);

/* ---- lease.c; with the lock held ---- */
mb_lease *lease_find(mb_client *client, uint64_t id);
void lease_take_grant(mb_client *client, mb_lease *lease, const struct grant_reply *grant, int fd);
void lease_unreference(mb_lease *lease);

/* Gives a lease back as mb_release() does, and says nothing of a loss. NULL is allowed. Takes the lock. */
void lease_drop(mb_lease *lease);

/* Removes the mappings and descriptors. */
void lease_unmap(mb_lease *lease);

/* The session has another control page: the slots that it has are there now. */
void leases_move_slots(mb_client *client, const struct control_mapping *mapping);

/* A page of the lease is gone. True: so it is lost, though nobody could say so yet. From the signal's handler. */
bool lease_note_fault(mb_lease *lease);

/* Notes a loss, once: the program is told by an event. */
void lease_note_loss(mb_lease *lease, mb_end_reason reason);

/* Looks at every lease's slot and notes what is lost; `all_lost`: every one that isn't lost already is, for this
 * reason. */
void leases_sweep(mb_client *client, mb_end_reason all_lost);

/* ---- lease_cache.c ---- */

/* Whether a lease acquired so may be given to whoever acquires so. */
bool lease_cache_suits(const mb_lease_options *options);

/* Keeps a lease that is being released; false: it is not one to keep. With the lock held. */
bool lease_cache_keep(mb_lease *lease);

/* A kept lease of this size and name, zeroed; NULL: there is none. Takes the lock. */
mb_lease *lease_cache_take(mb_client *client, uint64_t bytes, const mb_lease_options *options);

/* Gives back what was kept before `before` (ms); returns whether there was anything. Takes the lock. */
bool lease_cache_trim(mb_client *client, uint64_t before);

/* When the first is to be given back; UINT64_MAX: there is none. With the lock held. */
uint64_t lease_cache_due(const mb_client *client);

/* Queues the release of a lease, or forgets it where the broker has nothing to give back. With the lock held. */
void lease_post_release(mb_client *client, mb_lease *lease, bool was_lost);

/* ---- trim.c ---- */

/* Tends what is held in reserve, and answers the broker's wish to trim. Without the lock, events delivered before. */
void trim_tend(mb_client *client);

/* ---- background.c ---- */
int background_start(mb_client *client);
void background_stop(mb_client *client);

/* Wakes whoever tends the client; and takes what woke it, before it looks what there is to do. */
void background_wake(mb_client *client);
void background_settle(mb_client *client);
