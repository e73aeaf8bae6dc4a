/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom an allocation asks to free memory: the client's own on_reclaim, and those that its users have added. Several
 * threads may ask at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "membroker.h"

struct mb_reclaimer {
    mb_client *client;
    void (*on_reclaim)(const mb_reclaim *reclaim, void *user_data);
    void *user_data;
    uint32_t max_retries, retry_wait_ms;
    unsigned running; /* threads that are in its callback */
    bool is_ended, is_awaited;
    TAILQ_ENTRY(mb_reclaimer) in_client;
};

TAILQ_HEAD(reclaimers, mb_reclaimer);

void reclaimers_init(struct reclaimers *reclaimers);
void reclaimers_close(struct reclaimers *reclaimers);

/* Adds one, and ends one as mb_reclaimer_end() does. The client's lock is held, and given up during a wait. */
void reclaimers_add(mb_client *client, mb_reclaimer *reclaimer);
void reclaimers_end(mb_client *client, mb_reclaimer *reclaimer);

/* How often somebody wants to be asked. No lock is held. */
unsigned reclaimers_attempts(mb_client *client);

/*
 * Calls everybody who wants this attempt, in the thread that allocates and without a lock. Returns how many
 * milliseconds the longest pause is that they want after it.
 */
uint32_t reclaimers_ask(mb_client *client, const mb_reclaim *reclaim);
