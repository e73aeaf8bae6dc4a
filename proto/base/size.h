/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes: overflow-checked arithmetic, rounding, and sizes and durations as text. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIZE_TEXT_BYTES = 48 };

#define NANOSECONDS_PER_MILLISECOND UINT64_C(1000000)
#define NANOSECONDS_PER_SECOND      UINT64_C(1000000000)

/* Rounds up to a multiple of `step`, a power of two. False when the result does not fit 64 bits. */
bool size_round_up(uint64_t bytes, uint64_t step, uint64_t *ret);

static inline uint64_t size_add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline uint64_t size_multiply_saturated(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static inline uint64_t size_subtract_floored(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static inline uint64_t size_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t size_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/*
 * Writes "1.5 GiB" and the like into text[SIZE_TEXT_BYTES] and returns text. Exact multiples lose no
 * digits ("8 GiB", "4 KiB"); UINT64_MAX is "unlimited".
 */
const char *size_to_text(uint64_t bytes, char *text);

/*
 * Reads a size: digits, then optionally a unit K, M, G, T (1024-based, either case, each with an
 * optional "B" or "iB"), or "%" of `whole`. Blanks round it are ignored. "unlimited" is UINT64_MAX.
 * No sign, no fraction, no overflow. Returns 0, or -EINVAL for anything else, or -ERANGE when the value
 * does not fit; a percentage with `whole` 0 is -EINVAL.
 */
int size_from_text(const char *text, uint64_t whole, uint64_t *ret);

/* Reads a duration with its unit: "500ms", "30s", "5min", "2h". Milliseconds. Returns as size_from_text(). */
int duration_from_text(const char *text, uint64_t *ret_milliseconds);

/* Writes "500ms", "1.5s", "1min 30s", "2h" and the like into text[SIZE_TEXT_BYTES] and returns text. */
const char *duration_to_text(uint64_t milliseconds, char *text);

/*
 * As size_from_text() and duration_from_text() read it back, to the byte and the millisecond: the largest unit that
 * divides the value ("64M", "90s"). Into text[SIZE_TEXT_BYTES], which is returned; UINT64_MAX is "unlimited".
 */
const char *size_to_exact_text(uint64_t bytes, char *text);
const char *duration_to_exact_text(uint64_t milliseconds, char *text);
