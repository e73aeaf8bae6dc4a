/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait until a block of some name is published. Their number is bounded as that of those in the queue. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "proto/message.h"

struct session;
struct step;
struct broker;

struct name_wait {
    struct session *session;
    uint64_t request_id;
    uint64_t until;                      /* service clock */
    struct attach_block_request request; /* with its owner */
    TAILQ_ENTRY(name_wait) in_all;
};

TAILQ_HEAD(name_wait_list, name_wait);

/* False after an answer: there is no room for it to wait. */
bool name_wait_add(struct step *step, struct session *session, const struct request *request);

void name_wait_free(struct broker *broker, struct name_wait *wait);

/* Nothing of the session waits for a name any longer. */
void name_wait_drop_session(struct broker *broker, struct session *session);

/* The request of the session with this id that waits, or NULL. */
struct name_wait *name_wait_find(const struct broker *broker, const struct session *session, uint64_t request_id);

/* When the first is over; UINT64_MAX: none waits. */
uint64_t name_wait_first_end(const struct broker *broker);
