/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/published.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/end_reason.h"

static void pause_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    (void)nanosleep(&moment, NULL);
}

void published_prepare(struct published *published, const struct holding *holding, const char *name)
{
    const mb_block_change *change;
    int result;
    *published = (struct published){.holding = holding, .name = name, .reason = -1};
    result = mb_watch_blocks(holding->client, name, &published->watch);
    while (result >= 0 && (result = mb_block_watch_next(published->watch, 0, &change)) > 0) { /* those of before */
    }
    if (result < 0) { /* such as if the user has no watch left */
        (void)fprintf(stderr, "membrokerctl: if somebody else ends the block, this program will not notice: %s\n",
                      mb_last_error());
        mb_block_watch_end(published->watch);
        published->watch = NULL;
    }
}

/* The first block of that name after the publication is this program's. */
static void take(struct published *published, const mb_block_change *change, uint64_t *number)
{
    const uint64_t one = 1;
    if (strcmp(change->name, published->name) != 0) {
        return;
    }
    if (change->type == MB_BLOCK_PUBLISHED && !*number) {
        *number = change->number;
    } else if (change->type == MB_BLOCK_ENDED && change->number == *number) {
        published->reason = (int)change->reason;
        published->is_over = true;
        (void)!write(published->holding->lost, &one, sizeof one);
    }
}

static void *watch(void *argument)
{
    enum { WAIT_MS = 3600000 };
    struct published *published = argument;
    const mb_block_change *change;
    uint64_t number = 0;
    while (!published->is_over) {
        int result = mb_block_watch_next(published->watch, WAIT_MS, &change);
        if (result > 0) {
            take(published, change, &number);
        } else if (result < 0) { /* without a connection it goes on when there is one again */
            pause_a_moment();
        }
    }
    return NULL;
}

void published_watch(struct published *published)
{
    published->is_watched = published->watch && pthread_create(&published->thread, NULL, watch, published) == 0;
}

int published_end(struct published *published)
{
    published->is_over = true;
    while (published->is_watched &&
           pthread_tryjoin_np(published->thread, NULL) == EBUSY) { /* it may be about to wait */
        mb_cancel_waits(published->holding->client);
        pause_a_moment();
    }
    mb_block_watch_end(published->watch);
    if (published->reason < 0) {
        return CTL_DONE;
    }
    return ctl_fail(-ESTALE, "the block %s has ended: %s", published->name,
                    published->reason == MB_END_NONE ? "somebody unpublished or replaced it"
                                                     : end_reason_text_of_block((enum end_reason)published->reason));
}
