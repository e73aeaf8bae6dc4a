/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl blocks --follow: prints what is published and what ends, as it happens. */
#pragma once

#include "client/ctl/ctl.h"

/* Of the blocks of this user whose names begin with the prefix. Returns the exit status when it can't go on. */
int blocks_follow(const struct ctl_options *options, uint32_t owner, const char *prefix);
