/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libuv's table of what it polls grows with the highest descriptor, and where there is no memory for it libuv ends the
 * process. So it is made as large as it can ever become before there are clients.
 */
#pragma once

#include <uv.h>

/* Makes room for every descriptor below `ceiling`: 8 bytes each. -ENOMEM: there is no such memory. */
int poll_table_reserve(uv_loop_t *loop, int ceiling);
