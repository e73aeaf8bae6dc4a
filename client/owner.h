/* SPDX-License-Identifier: Apache-2.0 */
/* The process that a client belongs to. */
#pragma once

#include "membroker.h"

/* Returns 0, or -EPERM with the sentence set if this process was forked from the client's. */
int owner_check(const mb_client *client);
