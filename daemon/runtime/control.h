/* SPDX-License-Identifier: Apache-2.0 */
/* A session's control page, the daemon's writing side. */
#pragma once

#include "daemon/core/effect.h"
#include "proto/control_page.h"

struct control {
    int fd; /* goes to the client; sealed against writing */
    struct control_page *page;
};

/* Returns 0 or negative errno. */
int control_open(struct control *ret);
void control_close(struct control *control);

/* Writes how short of memory the machine is. */
void control_write_pressure(struct control *control, enum pressure level);

/* Writes a slot: the reason first, so that whoever sees the new generation sees why. */
void control_write(struct control *control, const struct effect_slot *slot);
