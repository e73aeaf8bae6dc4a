/* SPDX-License-Identifier: Apache-2.0 */
/* Renewing leases, and reporting how much of them is used. The client's lock is held. */
#pragma once

#include <stdint.h>

#include "membroker.h"
#include "proto/message.h"

struct renewal {
    uint64_t at; /* ms; UINT64_MAX: nothing to renew */
};

void renewal_init(struct renewal *renewal);

/* Renews at `at` (ms) at the latest. */
void renewal_plan(mb_client *client, uint64_t at);

/* One message renews all leases of the session. Notes losses too. */
void renewal_run(mb_client *client, uint64_t now);

/* The broker may not know what was reported, so all of it is reported again. */
void renewal_forget_use(mb_client *client);
