/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases that the broker has for this session and this process does not: their grant was lost with a connection, or
 * nobody waited for it any more. They go back. The client's lock is held.
 */
#pragma once

#include <stdint.h>

#include "membroker.h"
#include "proto/message.h"

/* The broker is to be asked for a list of the session's leases after that one; 0: from the first. */
void orphans_owe_list(mb_client *client, uint64_t after);

/* Asks for the list that is owed, if the socket takes it. */
void orphans_send_owed(mb_client *client);

/* Gives back what is in that list and unknown here. */
void orphans_compare(mb_client *client, const struct listing_reply *listing);

/* Gives back a granted lease unless this process has it. */
void orphans_return(mb_client *client, uint64_t lease);
