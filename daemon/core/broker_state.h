/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the broker: for the core's own files. */
#pragma once

#include "daemon/core/block.h"
#include "daemon/core/board.h"
#include "daemon/core/broker.h"
#include "daemon/core/learned.h"
#include "daemon/core/name_wait.h"
#include "daemon/core/pool.h"
#include "daemon/core/reservation.h"
#include "daemon/core/session.h"
#include "daemon/core/watch.h"

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

struct forecast;

struct broker {
    struct broker_options options;
    struct account host;
    struct account_list reserves;
    struct session_table sessions;
    struct lease_table leases;
    struct segment_id_tree segments; /* all that are charged */
    uint64_t segment_count;
    struct principal_table principals;
    struct reservation_table reservations;
    struct block_table blocks;
    struct board_table boards;
    struct name_wait_list name_waits; /* requests that wait for a block of some name, the first come first */
    size_t name_wait_count;
    struct watch_table watches;
    bool names_changed; /* a block was published: some may wait for it no longer */
    uint64_t waiting_count, waiting_bytes;
    struct promised_list promised; /* requests that wait for what was evicted for them, the first come first */
    struct waiting *next_promised; /* the next of them to be looked at in a pass over the queue */
    uint64_t waiting_beat;         /* when the queue is to be looked at even if nothing happens */
    uint64_t next_pass;            /* no pass before: a pass over a long queue takes time; 0: now */
    bool retry_waiting;            /* bytes came free, or limits were raised, or another request waits */
    uint32_t trim_looks;           /* for sessions to be asked to trim, in the present pass */
    struct session_list trimming;  /* those whose answer is awaited */
    size_t trims_pending;          /* sessions whose answer to a trim event is awaited */
    struct lease_list revoking;    /* leases that will be taken, first due first */
    struct lease_list spared;      /* those that won't, and whose clients are to be told */
    uint64_t revoking_vain;        /* what of the leases that will be taken is held back for reserves then */
    uint64_t charged_at;           /* when classes and users were last charged for what they have beyond their share */
    uint64_t pass;                 /* the number of the present pass over those who wait */
    struct pool pool;
    struct learned_table learned;
    enum pressure pressure;
    bool shutting_down;
    uint64_t settings_number; /* grows with each reload */
    uint64_t next_session, next_lease, next_segment, next_waiting, next_block, next_board;
    struct broker_counters counters;
    struct figures figures;
    /* What the host had available at the last look, and what was granted since: RAM that is granted but
     * not touched yet does not show in the host's figures. */
    uint64_t host_available_bytes, host_total_bytes, host_granted_since, host_epoch;
    struct buried_refusal refusals[REFUSALS_REMEMBERED]; /* the newest, as a ring */
    size_t refusal_next;
    struct forecast *forecast; /* EARLIEST_REMEMBERED of them, as a ring */
    size_t forecast_next;
    struct lease_end ended[MESSAGE_ENDED_MAX]; /* of the Renewed in this step's effects */
    struct effect_list final_effects;          /* of the broker's own end, after the last step */
};

/* Those who hold the most of what a limit counts, most first; kept, since the next one who asks often means the same.
 */
struct holders {
    const struct account *under; /* NULL: nothing was found out yet */
    enum ledger_limit limit;
    size_t count;
    struct holder largest[MESSAGE_HOLDERS_MAX + 1];
};

/* One input in the making: what its handlers share. */
struct step {
    struct broker *broker;
    uint64_t now;
    struct effect_list *effects;
    struct holders holders; /* of the present handler or pass: sessions may go in between */
    bool keeps_blocks;      /* the request that is looked at can't wait for what would be evicted */
    bool has_evicted;       /* blocks, for the request that is looked at */
};
