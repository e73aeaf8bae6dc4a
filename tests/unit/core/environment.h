/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a long test runs: numbers in the environment. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

/* The number in the variable NAME; OTHERWISE if it is not set. */
static inline uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}
