/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the tools which memory may be used. AddressSanitizer's functions exist only in a program that is built with it.
 */
#include "client/misuse.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <valgrind/memcheck.h>

/* NOLINTBEGIN(bugprone-reserved-identifier): the sanitizer's names */
__attribute__((weak)) void __asan_poison_memory_region(const volatile void *address, size_t bytes);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void *address, size_t bytes);
/* NOLINTEND(bugprone-reserved-identifier) */

bool misuse_wanted(void)
{
    const char *value = secure_getenv("MEMBROKER_MISUSE");
    return value && *value && strcmp(value, "0") != 0;
}

void misuse_alive(const void *address, size_t bytes, bool defined)
{
    if (__asan_unpoison_memory_region) {
        __asan_unpoison_memory_region(address, bytes);
    }
    if (defined) {
        (void)VALGRIND_MAKE_MEM_DEFINED(address, bytes);
    } else {
        (void)VALGRIND_MAKE_MEM_UNDEFINED(address, bytes);
    }
}

void misuse_dead(const void *address, size_t bytes)
{
    if (__asan_poison_memory_region) {
        __asan_poison_memory_region(address, bytes);
    }
    (void)VALGRIND_MAKE_MEM_NOACCESS(address, bytes);
}

void misuse_forget(const void *address, size_t bytes)
{
    misuse_alive(address, bytes, true);
}

void misuse_poison(void *address, size_t bytes)
{
    misuse_forget(address, bytes);
    memset(address, MISUSE_FILL, bytes);
    misuse_dead(address, bytes);
}

void misuse_guard(void *address, size_t bytes)
{
    (void)mprotect(address, bytes, PROT_NONE);
}
