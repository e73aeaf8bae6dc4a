/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of control pages: who has how much, and which pages are to be had again.
 *
 * A client may keep a page that it was sent mapped or open for as long as it likes. So the daemon keeps the page when
 * the session ends. It frees the page when no process has it any more (control_return.h), or gives it to the next
 * session of the same user. So a user never has more pages than its sessions needed at the same time, however often it
 * connects, and all of them are counted. If many pages are kept in all, a user with more than a few gets no new one:
 * each costs a descriptor.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/config/config.h"
#include "daemon/runtime/descriptors.h"
#include "daemon/runtime/lanes.h"
#include "proto/control_page.h"

struct control_owner;

struct control_memory {
    int fd; /* goes to the client; sealed against writing */
    struct control_page *page;
    uint64_t bytes;      /* all of which exist */
    uint32_t slots;      /* in it */
    uint64_t generation; /* the highest that was ever in it */
    unsigned place;      /* which of its session's pages it is, 0 the first */
    bool was_sent;
    bool is_counted; /* the kernel counts who has it */
    bool is_own;     /* the descriptor was opened again since it was sent: no client has this one */
    struct control_owner *owner;
    struct work work; /* which asks who has it */
    LIST_ENTRY(control_memory) spare;
    TAILQ_ENTRY(control_memory) kept;
};

LIST_HEAD(control_memory_list, control_memory);

/* The user who is charged. */
struct control_owner {
    uint32_t uid;
    uint64_t bytes;
    size_t pages;
    struct control_memory_list spare[CONTROL_PAGES_MAX];
    LIST_ENTRY(control_owner) in_store;
};

struct control_store {
    LIST_HEAD(control_owner_list, control_owner) owners;
    TAILQ_HEAD(control_memory_queue, control_memory) kept; /* that no worker is looking at */
    uint64_t bytes;
    size_t kept_count; /* and those that are being reopened */
    int fd_ceiling;
    struct descriptor_uses *descriptors; /* where its own are noted */
};

/* Answers of control_store_take(): the bound of all, or of the user, is reached; or too many pages are kept. */
enum { CONTROL_E_FULL = 1, CONTROL_E_USER_FULL = 2, CONTROL_E_KEPT = 4 };

void control_store_init(struct control_store *store, int fd_ceiling, struct descriptor_uses *descriptors);

/* Frees what is spare; none may be in use. */
void control_store_deinit(struct control_store *store);

/*
 * A page for this place: one that is spare, or a new one of `bytes` (0: the place's own size). Its slots are the
 * caller's to write, with generations above its `generation`. 0; an answer; or negative errno.
 */
int control_store_take(struct control_store *store, uint32_t uid, unsigned place, uint64_t bytes,
                       const struct control_bounds *bounds, struct control_memory **ret);

/* Gives it back: it is kept now, or freed if no client ever saw it. */
void control_store_give(struct control_store *store, struct control_memory *memory);

/* For what sends one. */
void control_store_note_sent(struct control_memory *memory);

/* The kept page that was asked about the longest ago, which no session gets meanwhile; NULL: there is none. It is put
 * back then, or freed. */
struct control_memory *control_store_borrow(struct control_store *store);
void control_store_put_back(struct control_store *store, struct control_memory *memory);
void control_store_free(struct control_store *store, struct control_memory *memory);

/* Its descriptor is this one now, which nobody was sent. */
void control_store_replace(struct control_store *store, struct control_memory *memory, int fd);

/* How many pages may be kept before users with more than a few get no new one. */
size_t control_store_kept_max(const struct control_store *store);

/* Of a user. */
uint64_t control_store_user_bytes(const struct control_store *store, uint32_t uid);
