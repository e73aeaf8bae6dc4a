/* SPDX-License-Identifier: Apache-2.0 */
/* Link-time wrappers of malloc and its like. */
#include "tests/unit/core/exhaustion.h"

#include <stddef.h>

static long countdown;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);

void exhaustion_arm(long number)
{
    countdown = number;
}

bool exhaustion_has_struck(void)
{
    return countdown <= 0;
}

static bool strikes(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t size)
{
    return strikes() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return strikes() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    return strikes() ? NULL : __real_reallocarray(memory, count, size);
}
