/* SPDX-License-Identifier: Apache-2.0 */
/* Being a client of the broker as any program is: for the verbs that hold memory until a signal, or for a while. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/ctl/ctl.h"
#include "membroker.h"

struct holding {
    mb_client *client;
    int signals; /* is readable after SIGINT or SIGTERM, once these are blocked */
    int lost;    /* is readable once a lease is lost */
};

/* Connects, after a check that the broker answers at all: the library's calls wait longer than a person wants to.
 * `flags` are those of mb_client_options. Returns CTL_DONE, or the exit status after a message. */
int holding_open(const struct ctl_options *options, const char *name, uint32_t flags, struct holding *ret);
void holding_close(struct holding *holding);

/* From now on a signal ends what holding_wait() waits for, and not the program. */
void holding_block_signals(void);
bool holding_is_signalled(const struct holding *holding);

/* Waits for the time to pass (UINT64_MAX: it never does), a signal, or the loss of the lease; returns the exit status.
 */
int holding_wait(const struct holding *holding, const mb_lease *lease, uint64_t milliseconds);
