/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that waits: it would fit once the bytes that are being freed are free. Requests wait
 * in the order in which they came, and no later one passes an earlier one.
 */
#pragma once

#include <sys/queue.h>

#include "proto/message.h"

struct waiting {
    struct session *session;
    struct request request;
    TAILQ_ENTRY(waiting) in_queue;
    TAILQ_ENTRY(waiting) in_session;
};

TAILQ_HEAD(waiting_queue, waiting);
TAILQ_HEAD(waiting_list, waiting);
