/* SPDX-License-Identifier: Apache-2.0 */
/* What Python does if memory is short: it looks for garbage that holds arrays. */
#pragma once

#include <membroker.h>

/* The on_reclaim callback of every client. The calling thread does not hold the interpreter's lock. */
void reclaiming_collect(const mb_reclaim *reclaim, void *user_data);

/* From here on it does nothing: the interpreter ends. */
void reclaiming_stop(void);
