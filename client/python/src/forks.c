/* SPDX-License-Identifier: Apache-2.0 */
/* The children that live, and the blocks that wait for them. */
#include "client/python/src/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/python/src/gil.h"
#include "client/python/src/inherited.h"
#include "client/python/src/losses.h"
#include "client/python/src/table.h"

/* It holds the writing end of the pipe, which closes when it ends or executes a program. */
struct child {
    int pipe;
    uint64_t epoch; /* it reads what is older */
    struct child *next;
};

struct waiting_block {
    struct owner *owner;
    mb_buffer *buffer; /* NULL: it is a lease */
    mb_lease *lease;
    uint64_t epoch;
    struct waiting_block *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct child *children;
static struct waiting_block *blocks;
static size_t block_count;
static _Atomic uint64_t epoch = 1, newest_child; /* 0: none lives */

uint64_t forks_epoch(void)
{
    return atomic_load_explicit(&epoch, memory_order_relaxed);
}

/* ---- who lives ---- */

static bool has_ended(const struct child *child)
{
    struct pollfd waiter = {.fd = child->pipe, .events = POLLIN};
    return poll(&waiter, 1, 0) > 0;
}

/* With the lock. */
static void bury(void)
{
    uint64_t newest = 0;
    for (struct child **at = &children; *at;) {
        struct child *child = *at;
        if (has_ended(child)) {
            *at = child->next;
            (void)close(child->pipe);
            free(child);
        } else {
            newest = child->epoch > newest ? child->epoch : newest;
            at = &child->next;
        }
    }
    atomic_store(&newest_child, newest);
}

/* The blocks that no child reads any more, as a list. With the lock. */
static struct waiting_block *take_free(void)
{
    uint64_t newest = atomic_load(&newest_child);
    struct waiting_block *taken = NULL;
    for (struct waiting_block **at = &blocks; *at;) {
        struct waiting_block *block = *at;
        if (block->epoch >= newest) {
            *at = block->next;
            block->next = taken;
            taken = block;
            block_count--;
        } else {
            at = &block->next;
        }
    }
    return taken;
}

/* ---- freeing ---- */

static void give(const struct waiting_block *block)
{
    if (block->buffer) {
        (void)mb_buffer_unref(block->buffer);
    } else {
        struct gil gil = gil_drop();
        (void)mb_release(block->lease);
        gil_take(gil);
    }
    owner_unref(block->owner);
}

static void give_all(struct waiting_block *list)
{
    while (list) {
        struct waiting_block *block = list;
        list = block->next;
        give(block);
        free(block);
    }
}

static void wait_or_give(const struct waiting_block *dead)
{
    struct waiting_block *block = malloc(sizeof *block);
    (void)pthread_mutex_lock(&lock);
    bury();
    bool waits = block && dead->epoch < atomic_load(&newest_child);
    if (waits) {
        *block = *dead;
        block->next = blocks;
        blocks = block;
        block_count++;
    }
    struct waiting_block *list = take_free();
    (void)pthread_mutex_unlock(&lock);
    give_all(list);
    if (!waits) {
        free(block);
        give(dead);
    }
}

static void end(const struct waiting_block *dead)
{
    if (dead->epoch < atomic_load_explicit(&newest_child, memory_order_relaxed)) {
        wait_or_give(dead);
    } else {
        give(dead);
    }
}

void forks_unref(struct owner *owner, mb_buffer *buffer, uint64_t made)
{
    const struct waiting_block dead = {.owner = owner, .buffer = buffer, .epoch = made};
    end(&dead);
}

void forks_release(struct owner *owner, mb_lease *lease, uint64_t made)
{
    const struct waiting_block dead = {.owner = owner, .lease = lease, .epoch = made};
    end(&dead);
}

bool forks_allow_reuse(void)
{
    return atomic_load(&newest_child) == 0;
}

size_t forks_waiting(void)
{
    (void)pthread_mutex_lock(&lock);
    bury();
    struct waiting_block *list = take_free();
    size_t count = block_count;
    (void)pthread_mutex_unlock(&lock);
    give_all(list);
    return count;
}

/* ---- forking ---- */

static struct child *coming;
static int coming_end = -1;

/* A child that reads nothing of ours needs no pipe. */
static void make_child(void)
{
    int ends[2];
    coming = owner_any_in_use() ? malloc(sizeof *coming) : NULL;
    if (coming && pipe2(ends, O_CLOEXEC) < 0) {
        free(coming);
        coming = NULL;
    }
    if (coming) {
        coming->pipe = ends[0];
        coming_end = ends[1];
    }
}

static void before(void)
{
    (void)pthread_mutex_lock(&lock);
    table_lock_for_fork();
    make_child();
}

static void in_parent(void)
{
    if (coming) {
        coming->epoch = atomic_fetch_add(&epoch, 1) + 1;
        coming->next = children;
        children = coming;
        (void)close(coming_end);
        atomic_store(&newest_child, coming->epoch);
        coming = NULL;
    }
    table_unlock();
    (void)pthread_mutex_unlock(&lock);
}

/* The child's own children are children of this one: it knows none of its parent's. */
static void in_child(void)
{
    if (coming) {
        (void)close(coming->pipe);
        inherited_begin();
    }
    coming = NULL;
    children = NULL;
    blocks = NULL;
    block_count = 0;
    atomic_store(&newest_child, 0);
    owner_inherit_all();
    losses_forget();
    table_unlock();
    (void)pthread_mutex_unlock(&lock);
}

int forks_init(void)
{
    return -pthread_atfork(before, in_parent, in_child);
}
