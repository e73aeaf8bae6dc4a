/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail: the core's tests are linked so that malloc and its like come through here. */
#pragma once

#include <stdbool.h>

/* The `number`th allocation from now fails; 0: none does. */
void exhaustion_arm(long number);

/* Whether it has been reached. */
bool exhaustion_has_struck(void);

/* How many blocks are allocated now: whatever a test began with, there must be no more in its end. */
long exhaustion_live(void);
