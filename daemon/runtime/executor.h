/* SPDX-License-Identifier: Apache-2.0 */
/* Giving the core what happens, and carrying out what it decides. */
#pragma once

#include <stdbool.h>

#include "daemon/core/broker.h"

struct server;

struct executor {
    struct effect_list effects; /* of the step that is being carried out */
    bool is_feeding;
};

/* Gives the core an input, and carries out what it wants done and what follows from that. Not from within itself. */
void executor_feed(struct server *server, const struct input *input);

/* Gives the core the results of segments' jobs: a part of executor_feed(), and the end of every job. */
void executor_settle(struct server *server);
