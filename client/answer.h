/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to requests. The client's lock is held. */
#pragma once

#include "membroker.h"
#include "proto/message.h"
#include "proto/transport.h"

/* Takes an answer, and those of its descriptors that it has a use for; others are -EBADF. */
void answer_take(mb_client *client, const struct reply *reply, struct packet_descriptors *descriptors);

/* The broker says that a lease has ended. */
void answer_note_ended(mb_client *client, const struct lease_end *end);
