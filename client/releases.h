/* SPDX-License-Identifier: Apache-2.0 */
/* Releases that the broker has to be told. The client's lock is held. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/lease.h"

struct owed_release {
    uint64_t lease;
    TAILQ_ENTRY(owed_release) in_client;
};

TAILQ_HEAD(owed_release_list, owed_release);

struct releases {
    struct owed_release_list list; /* sent when the socket takes them */
};

void releases_init(struct releases *releases);
void releases_close(struct releases *releases);

/* Removes an unmapped lease from the client and tells the broker. `was_lost`: the broker knows already. */
void releases_post(mb_client *client, mb_lease *lease, bool was_lost);

/* Gives back a lease that this process has no record of. */
void releases_post_id(mb_client *client, uint64_t lease);

/* Sends the releases that wait, as far as the socket takes them. */
void releases_flush(mb_client *client);
