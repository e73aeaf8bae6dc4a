/* SPDX-License-Identifier: Apache-2.0 */
/* The control pages of a session that goes on after a restart. */
#pragma once

#include "daemon/runtime/peer.h"

/*
 * Makes new pages for the peer with the content of the old ones, whose descriptors are given by place; negative: there
 * is none. The descriptors stay the caller's. 0; -EPROTO: the old pages are not valid; or negative errno.
 */
int restore_control(struct peer *peer, const int fds[CONTROL_PAGES_MAX]);
