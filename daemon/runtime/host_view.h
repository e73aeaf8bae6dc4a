/* SPDX-License-Identifier: Apache-2.0 */
/* What the host has available, as the core is told. */
#pragma once

#include "daemon/runtime/server.h"

/* Looks at the host and tells the core, if the last look is older than `age_ns`. */
void host_view_refresh(struct server *server, uint64_t age_ns);

/* The same if much was freed since. */
void host_view_follow_frees(struct server *server);
