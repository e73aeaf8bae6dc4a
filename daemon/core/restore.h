/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the broker's tables that outlives a restart, as values. Restoring happens before the first step, sessions
 * first. Deadlines start again: the time without a daemon does not count.
 */
#pragma once

#include "daemon/core/broker.h"

struct kept_session {
    uint64_t id;
    struct identity identity;
    struct token token;
    struct byte_limits limits;
    char name[MESSAGE_NAME_SIZE];
    struct control_room room;   /* that the shell has made for it; not kept */
    const char *control_groups; /* of its process; NULL: unknown. Borrowed; not kept, but read again */
};

/* A living segment, with what is to be known of its lease. */
struct kept_segment {
    uint64_t id, lease, session;
    uint64_t key;
    uint64_t bytes;
    enum location location;
    struct segment_options options;
    bool has_huge_pages;
    bool is_publishable;
    uint32_t slot;
    uint64_t generation;
    uint32_t ttl_ms;
    char name[MESSAGE_NAME_SIZE];
    char file[MESSAGE_NAME_SIZE];
    uint64_t file_bytes;
};

#define KEPT_NO_GROUP UINT32_MAX

/* A block that was published, and that may have lost its name since. What its segment says of a lease is said of its
 * publisher's, if it has one. */
struct kept_block {
    struct kept_segment segment;
    bool has_publisher;
    uint64_t id;
    uint32_t owner;               /* uid */
    uint32_t user, group;         /* that it is charged to; KEPT_NO_GROUP: none */
    char class[POLICY_NAME_SIZE]; /* the same */
    enum lifetime lifetime;
    enum block_access access;
    uint32_t gid;
    uint64_t age_ns, keep_ns; /* since its publication; and how long it is kept from then on, 0: no time is set */
    enum end_reason ended;    /* END_NONE: it has its name */
    bool has_untold;          /* a view of it was not kept: only its resumed session says that it has ended */
    char name[MESSAGE_NAME_SIZE], type[MESSAGE_NAME_SIZE];
    struct message_bytes metadata; /* borrowed */
};

struct kept_view {
    uint64_t lease, session, block;
    uint32_t slot;
    uint64_t generation;
    uint32_t ttl_ms;
};

/* A reservation. Of the paths, the first ones are those that it was made with. */
struct kept_reservation {
    uint64_t id; /* not restored: it gets another one */
    struct reservation_terms terms;
    struct control_group_list groups; /* borrowed */
    size_t first_count;
    bool is_over, expires, is_suspended;
    uint64_t remaining_ns; /* if it expires */
    uint64_t held_ns;      /* if it is suspended: how long its members are still held */
};

/* The numbers given out last. */
struct kept_numbers {
    uint64_t session, lease, segment, block;
};

/* What to keep. False: there is no such living session or segment. */
bool broker_keep_session(const struct broker *broker, uint64_t id, struct kept_session *ret);
bool broker_keep_segment(const struct broker *broker, uint64_t id, struct kept_segment *ret);
bool broker_keep_block(const struct broker *broker, uint64_t segment, uint64_t now, struct kept_block *ret);
bool broker_keep_view(const struct broker *broker, uint64_t lease, struct kept_view *ret);
struct kept_numbers broker_keep_numbers(const struct broker *broker);

/* The reservation with the smallest number above `after`; what it points to lives until the next step. False: none. */
bool broker_keep_reservation(const struct broker *broker, uint64_t after, uint64_t now, struct kept_reservation *ret);

/* No number up to these is given out again. */
void broker_restore_numbers(struct broker *broker, const struct kept_numbers *numbers);

/* Whatever the limits are now; before sessions. 0, -EEXIST, -EINVAL (it can't be one that was kept) or -ENOMEM. */
int broker_restore_reservation(struct broker *broker, const struct kept_reservation *kept, uint64_t now);

/* A session without a connection: it has reconnect_grace from now to be resumed. 0, -EEXIST, -EINVAL (its number was
 * never given out) or -ENOMEM. */
int broker_restore_session(struct broker *broker, const struct kept_session *kept, void *peer, uint64_t now);

/*
 * A segment, and its lease with the first one of it; charged whatever the limits are now. 0, or -ENOENT: no such
 * session; -EEXIST; -EINVAL: it contradicts what was restored before; -ENOMEM.
 */
int broker_restore_segment(struct broker *broker, const struct kept_segment *kept, void *handle, uint64_t now);

/*
 * A block, with its publisher's lease if it has one; the one that was used last comes first. It is charged whatever the
 * limits are now, and is one of as many as there were. If another has its name by then, or its publisher is gone and
 * it was for the publisher's session, it has lost its name. 0, or as above.
 */
int broker_restore_block(struct broker *broker, const struct kept_block *kept, void *handle, uint64_t now);

/* A view of a restored block. 0, or -ENOENT: no such session or block; -EINVAL; -ENOMEM. */
int broker_restore_view(struct broker *broker, const struct kept_view *kept, uint64_t now);

/*
 * A segment whose lease had ended, and whose memory is being freed: it counts against the host's limits until
 * INPUT_SEGMENT_FREED. 0, -EEXIST, -EINVAL or -ENOMEM.
 */
int broker_restore_freeing(struct broker *broker, const struct kept_segment *kept, void *handle, uint64_t now);

/* A slot of the session that no lease has: its generation (even), so that none is used twice. */
int broker_restore_slot(struct broker *broker, uint64_t session, uint32_t slot, uint64_t generation);

/* The peer of a session that is not over, or NULL. */
void *broker_peer_of(const struct broker *broker, uint64_t session);

/* Whether a restored lease has this slot. */
bool broker_has_slot(const struct broker *broker, uint64_t session, uint32_t slot);

/* Everything is restored. */
void broker_restore_done(struct broker *broker, uint64_t now);
