/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of control pages: who has how much, and which pages are to be had again.
 *
 * A page that was sent is never freed while the daemon runs: its client may keep it mapped for as long as it likes, and
 * the kernel does not say so. When its session ends it waits for the next session of the same user. So a user has never
 * more than its sessions needed at once, however often it comes and goes, and all of it is counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/config/config.h"
#include "daemon/runtime/descriptors.h"
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
    struct control_owner *owner;
    LIST_ENTRY(control_memory) spare;
};

LIST_HEAD(control_memory_list, control_memory);

/* The user who is charged. */
struct control_owner {
    uint32_t uid;
    uint64_t bytes;
    struct control_memory_list spare[CONTROL_PAGES_MAX];
    LIST_ENTRY(control_owner) in_store;
};

struct control_store {
    LIST_HEAD(control_owner_list, control_owner) owners;
    uint64_t bytes;
    int fd_ceiling;
    struct descriptor_uses *descriptors; /* where its own are noted */
};

/* Answers of control_store_take(): the bound of all, or of the user, is reached. */
enum { CONTROL_E_FULL = 1, CONTROL_E_USER_FULL = 2 };

void control_store_init(struct control_store *store, int fd_ceiling, struct descriptor_uses *descriptors);

/* Frees what is spare; none may be in use. */
void control_store_deinit(struct control_store *store);

/*
 * A page for this place: one that is spare, or a new one of `bytes` (0: the place's own size). Its slots are the
 * caller's to write, with generations above its `generation`. 0; an answer; or negative errno.
 */
int control_store_take(struct control_store *store, uint32_t uid, unsigned place, uint64_t bytes,
                       const struct control_bounds *bounds, struct control_memory **ret);

/* Gives it back: it is spare now, or freed if nobody ever saw it. */
void control_store_give(struct control_store *store, struct control_memory *memory);

/* Of a user. */
uint64_t control_store_user_bytes(const struct control_store *store, uint32_t uid);
