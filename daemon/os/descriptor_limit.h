/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors this process may have. */
#pragma once

#include <stdint.h>

/* Raises the soft limit to the hard one (and, where this process may, the hard one to what the kernel allows). Returns
 * the limit. */
uint64_t descriptor_limit_raise(void);
