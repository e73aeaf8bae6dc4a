/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blank memfds, made ahead on a thread: empty, so that they cost no memory, and nobody but the daemon has them. A grant
 * only gives one its size and its seals. The thread also closes those of freed segments, which ends their inodes. So
 * the kernel's work for an inode's birth and end is not the loop's. At rest there are as many as there may be.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct server;

enum { STOCK_MOST = 64 };

struct stock_list {
    int fd[STOCK_MOST];
    size_t count;
};

/* What a thread is at: it closes the old ones, then makes some. */
struct stock_job {
    uv_work_t work;
    struct stock_list old, made;
    size_t wanted;
    int ceiling;
};

struct stock {
    size_t capacity; /* 0: descriptors are too few to keep any ready */
    struct stock_list blank, old;
    struct stock_job job;
    uv_timer_t rest; /* runs while some are missing */
    bool is_wanted;  /* memory was asked for, ever */
    bool has_rested; /* it has run out: they are made, however few */
    bool is_busy;    /* the job is under way */
    bool has_failed; /* the last job got fewer than it wanted */
};

/* `ceiling`: as clients and segments are bounded by (descriptors.h). */
void stock_init(struct stock *stock, int ceiling);

/* Before the first is taken. */
void stock_start(struct server *server);

/* A blank memfd, the caller's; -EBADF: there is none now. */
int stock_take(struct server *server);

/* Closes the last descriptor of a memfd that was freed, soon. Takes the descriptor. */
void stock_close_old(struct server *server, int fd);

/* Once in each turn of the loop: has a thread close and make some, if it is worth it. */
void stock_work(struct server *server);

/* Closes what is left. The loop runs no job of it any more. */
void stock_deinit(struct server *server);
