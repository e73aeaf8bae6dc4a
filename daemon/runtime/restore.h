/* SPDX-License-Identifier: Apache-2.0 */
/* Going on from what an earlier daemon kept with the service manager. */
#pragma once

#include "daemon/os/service_manager.h"

struct server;

/*
 * Takes over what was handed over: sessions wait to be resumed, and leases live on. Without anything of an earlier
 * daemon it begins to keep. Closes what no record explains. 0 or negative errno, logged.
 */
int restore_open(struct server *server, struct handed_descriptors *handed);
