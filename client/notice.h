/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker says unasked: its events. The client's lock is held. */
#pragma once

#include "membroker.h"
#include "proto/message.h"

/* `fd` is borrowed. */
void notice_take(mb_client *client, const struct reply *reply, int fd);
