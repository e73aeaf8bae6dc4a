/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warm pool: RAM segments made ahead, every page present and zero, so that a grant costs neither creation nor
 * zeroing. It holds the sizes that the settings name and those that were asked for lately; a segment fits a request
 * of its very size only, so nothing is wasted. What is in it counts against the host's limits and is given
 * up before anybody waits.
 */
#pragma once

#include "daemon/core/input.h"
#include "daemon/core/segment.h"

struct pool_size {
    uint64_t bytes; /* 0: not in use */
    bool is_named;  /* in the settings */
    uint32_t wanted, ready, making;
    uint64_t asked_at; /* last, service clock */
};

struct pool {
    struct account account;
    struct pool_size sizes[POOL_SIZES_MAX];
    struct segment_list ready; /* oldest first */
    uint32_t making;
    uint64_t paused_until; /* a making failed, or memory was short */
    uint64_t busy_until;   /* segments are being taken from it: more are made later, unless few are left; 0: none are */
    uint64_t hits, misses;
};

/* The entry of a size; NULL: it has none. A size with anything ready or in the making keeps its entry. */
struct pool_size *pool_size_find(struct pool *pool, uint64_t bytes);

/* The same, made if there is none and an entry is free or idle for long. */
struct pool_size *pool_size_get(struct pool *pool, uint64_t bytes);

/* Counts a segment of that size that is being made, or one that is not any more. */
void pool_size_count_making(struct pool *pool, uint64_t bytes, bool add);

struct broker;
struct step;

void pool_init(struct broker *broker);
void pool_configure(struct broker *broker);

/* A ready segment of this size, charged to the account from now on; NULL: there is none, or it does not fit. */
struct segment *pool_take(struct step *step, uint64_t bytes, struct account *account);
/* Takes a segment back that was not lent after all. */
void pool_return(struct step *step, struct segment *segment);
void pool_made(struct step *step, struct segment *segment, const struct input_segment *made);
void pool_failed(struct step *step, struct segment *segment);

/* Gives up ready segments of at least so many bytes, or all; returns how many bytes. */
uint64_t pool_drop(struct step *step, uint64_t bytes);
/* What is ready or being made: all of it is given up, the latter when it is made. */
uint64_t pool_bytes(const struct pool *pool);
uint64_t pool_ready_bytes(const struct pool *pool); /* without what is being made or freed */
void pool_work(struct step *step);
uint64_t pool_next_wakeup(const struct broker *broker);
