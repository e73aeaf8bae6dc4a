/* SPDX-License-Identifier: Apache-2.0 */
/* A published block whose end is noticed, also if somebody else unpublishes or replaces it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "client/ctl/holding.h"

struct published {
    const struct holding *holding;
    const char *name;
    mb_block_watch *watch; /* NULL: there is none, and nothing is noticed */
    bool is_watched;       /* by the thread */
    pthread_t thread;
    atomic_bool is_over; /* the thread is to end */
    atomic_int reason;   /* why the block ended; -1: it has not */
};

/* Before the publication: learns which blocks have that name and its like. Says so if the end can't be noticed. */
void published_prepare(struct published *published, const struct holding *holding, const char *name);

/* After it: from now on the end of the block makes `holding->lost` readable. */
void published_watch(struct published *published);

/* Ends the watch. Returns CTL_DONE, or the exit status after the sentence if the block has ended. */
int published_end(struct published *published);
