/* SPDX-License-Identifier: Apache-2.0 */
/* The clock that all of the library's times are of. */
#pragma once

#include <stdint.h>

/* Monotonic milliseconds. */
uint64_t clock_milliseconds(void);
