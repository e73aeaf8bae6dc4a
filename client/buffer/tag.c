/* SPDX-License-Identifier: Apache-2.0 */
/* A bit for each tag. They are taken in turn, so that one that was given back is not used again soon. */
#include "client/buffer/tag.h"

#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t used[(UINT16_MAX + 1) / 64];
static uint16_t older[UINT16_MAX + 1]; /* by tag: the one that the same heap took before */
static uint16_t last;

/* A thread that the child lacks may have held the lock. */
static void in_child(void)
{
    (void)pthread_mutex_init(&lock, NULL);
}

__attribute__((constructor)) static void tag_watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

static bool use(uint16_t tag)
{
    uint64_t bit = UINT64_C(1) << (tag % 64);
    bool is_free = tag != TAG_NONE && tag != TAG_UNBOUND && !(used[tag / 64] & bit);
    if (is_free) {
        used[tag / 64] |= bit;
    }
    return is_free;
}

uint16_t tag_take_after(uint16_t newest)
{
    uint16_t tag = TAG_NONE;
    (void)pthread_mutex_lock(&lock);
    for (uint32_t tries = 0; tries <= UINT16_MAX && tag == TAG_NONE; tries++) {
        tag = use(++last) ? last : TAG_NONE;
    }
    older[tag] = newest;
    (void)pthread_mutex_unlock(&lock);
    return tag;
}

void tag_give_all(uint16_t newest)
{
    (void)pthread_mutex_lock(&lock);
    for (uint16_t tag = newest; tag != TAG_NONE; tag = older[tag]) {
        used[tag / 64] &= ~(UINT64_C(1) << (tag % 64));
    }
    (void)pthread_mutex_unlock(&lock);
}
