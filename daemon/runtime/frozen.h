/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a client can't renew because a scheduler stopped it: its control group is frozen, or (if the configuration
 * says that this counts) a signal stopped every process of its reservation. The core asks, and is told when a thread
 * has looked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/core/effect.h"

struct frozen_target;
struct input;
struct server;

struct frozen {
    struct frozen_target *wanted; /* for the next look */
    size_t count, room;
    bool is_looking;
    void (*feed)(struct server *server, const struct input *input); /* to tell the core */
};

/* Short of memory, no look is made: the core does not wait for ever. */
void frozen_look(struct server *server, const struct effect_session *session);

/* Forgets those that are not looked at yet. */
void frozen_close(struct frozen *frozen);
