/* SPDX-License-Identifier: Apache-2.0 */
/* The fate of a segment's jobs, and of looks at processes, drawn from the seed: the same for the daemon and for the
 * core it is compared with. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum fate_job { FATE_MAKE_AT_ONCE, FATE_MAKE, FATE_SEAL, FATE_FREE, FATE_LOOK };

extern uint64_t fate_seed;
extern bool fate_is_kind; /* nothing fails */

/* How long it takes, and what it fails with (0, or negative errno); `number`: the segment's or session's, or the
 * ordinal. */
uint64_t fate_delay_ms(enum fate_job job, uint64_t number);
int fate_error(enum fate_job job, uint64_t number);
