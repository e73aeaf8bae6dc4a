/* SPDX-License-Identifier: Apache-2.0 */
/* Link-time wrappers of malloc and its like, and of free. */
#include "tests/unit/core/exhaustion.h"

#include <stddef.h>

static long countdown, live;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
void __wrap_free(void *memory);

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

long exhaustion_live(void)
{
    return live;
}

/* Counts a block that is there now. */
static void *counted(void *block)
{
    live += block != NULL;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return strikes() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return strikes() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    void *block = strikes() ? NULL : __real_reallocarray(memory, count, size);
    return memory ? block : counted(block);
}

void __wrap_free(void *memory)
{
    live -= memory != NULL;
    __real_free(memory);
}
