/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to requests. The client's lock is held. */
#pragma once

#include "membroker.h"
#include "proto/message.h"

/* Takes an answer, and its descriptor if it has a use for it. */
void answer_take(mb_client *client, const struct reply *reply, int *fd);

/* The broker says that a lease has ended. */
void answer_note_ended(mb_client *client, const struct lease_end *end);
