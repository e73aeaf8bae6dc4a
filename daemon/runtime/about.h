/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a line of the log is about. */
#pragma once

#include "daemon/runtime/log.h"
#include "daemon/runtime/peer.h"

/* This peer, and maybe a lease; 0: none. */
struct log_about about_peer(const struct peer *peer, enum log_event event, uint64_t lease);
