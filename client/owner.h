/* SPDX-License-Identifier: Apache-2.0 */
/* The process that a client belongs to. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "membroker.h"

/* This process. No system call, but once a process; right in a child of any kind of fork. */
pid_t owner_process(void);

/* Whether the client is this process's. */
bool owner_is_here(const mb_client *client);

/* Returns 0, or -EPERM with the sentence set if this process was forked from the client's. */
int owner_check(const mb_client *client);
