/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker says of its warm pool, for the programs that measure it. */
#pragma once

#include "client/ctl/monitor.h"
#include "proto/message.h"

/* The pool's figures now. Ends the program if the broker does not answer. */
struct status_reply pool_status(struct monitor *monitor);

/* Waits until the pool has so many bytes ready and nothing is being freed: the machine is at rest then. */
void pool_await(struct monitor *monitor, uint64_t bytes);
