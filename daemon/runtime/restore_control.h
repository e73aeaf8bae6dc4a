/* SPDX-License-Identifier: Apache-2.0 */
/* The control pages of a session that goes on after a restart. */
#pragma once

#include "daemon/runtime/peer.h"

/*
 * Makes the peer's pages anew, with what is in those of before, by place; negative descriptors: there is none. They
 * stay the caller's. 0; -EPROTO: they make no sense; or negative errno.
 */
int restore_control(struct peer *peer, const int fds[CONTROL_PAGES_MAX]);
