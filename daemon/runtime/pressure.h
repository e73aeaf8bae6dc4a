/* SPDX-License-Identifier: Apache-2.0 */
/* Watching the machine's memory pressure, and telling the core its level. */
#pragma once

#include "daemon/runtime/server.h"

/* Where nothing tells of pressure it says so once, and goes on. */
void pressure_start(struct server *server);
void pressure_close(struct server *server);
