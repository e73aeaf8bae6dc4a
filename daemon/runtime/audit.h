/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit: the ledger against the kernel's own view, segment by segment, and the process's
 * descriptors against the segments. It runs in slices between the loop's other work; one at a time.
 */
#pragma once

#include "daemon/runtime/connection.h"

/* Begins an audit whose report answers this request. False: one is under way. */
bool audit_start(struct connection *connection, uint64_t request_id);

bool audit_is_running(void);
