/* SPDX-License-Identifier: Apache-2.0 */
/* The watch on the process that forks the workers. */
#pragma once

#include "daemon/runtime/workers.h"

/* Notices its end. 0 or negative errno, and then it is closed. */
int nursery_watch_begin(struct server *server);

/* Closes it, and the watch. */
void nursery_watch_end(struct workers *workers);
