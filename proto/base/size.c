/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and durations: rounding, and their text. */
#include "proto/base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool size_round_up(uint64_t bytes, uint64_t step, uint64_t *ret)
{
    uint64_t sum;
    if (__builtin_add_overflow(bytes, step - 1, &sum)) {
        return false;
    }
    *ret = sum & ~(step - 1);
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* Writes a value in the largest unit that it reaches, with one digit after the point where it is not exact. */
static const char *to_text(uint64_t value, const struct unit *units, const char *separator, char *text)
{
    const struct unit *unit = units;
    while (unit->factor > 1 && value < unit->factor) {
        unit++;
    }
    uint64_t whole = value / unit->factor;
    uint64_t tenth = value % unit->factor * 10 / unit->factor;
    if (value % unit->factor == 0) {
        (void)snprintf(text, SIZE_TEXT_BYTES, "%llu%s%s", (unsigned long long)whole, separator, unit->name);
    } else {
        (void)snprintf(text, SIZE_TEXT_BYTES, "%llu.%llu%s%s", (unsigned long long)whole, (unsigned long long)tenth,
                       separator, unit->name);
    }
    return text;
}

const char *size_to_text(uint64_t bytes, char *text)
{
    static const struct unit units[] = {{"TiB", UINT64_C(1) << 40},
                                        {"GiB", UINT64_C(1) << 30},
                                        {"MiB", UINT64_C(1) << 20},
                                        {"KiB", UINT64_C(1) << 10},
                                        {"bytes", 1}};
    if (bytes == UINT64_MAX) {
        (void)snprintf(text, SIZE_TEXT_BYTES, "unlimited");
        return text;
    }
    return to_text(bytes, units, " ", text);
}

/* From a minute on, in whole numbers of two units: a tenth of an hour means little to people. */
const char *duration_to_text(uint64_t milliseconds, char *text)
{
    static const struct unit units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
    const struct unit *unit = units;
    while (unit->factor > 1000 && milliseconds < unit->factor) {
        unit++;
    }
    if (unit->factor <= 1000) {
        return to_text(milliseconds, unit, "", text);
    }
    uint64_t rest = milliseconds % unit->factor / unit[1].factor;
    int length =
        snprintf(text, SIZE_TEXT_BYTES, "%llu%s", (unsigned long long)(milliseconds / unit->factor), unit->name);
    if (rest) {
        (void)snprintf(text + length, SIZE_TEXT_BYTES - (size_t)length, " %llu%s", (unsigned long long)rest,
                       unit[1].name);
    }
    return text;
}

static const char *to_exact_text(uint64_t value, const struct unit *units, char *text)
{
    const struct unit *unit = units;
    while (unit->factor > 1 && (value == 0 || value % unit->factor != 0)) {
        unit++;
    }
    (void)snprintf(text, SIZE_TEXT_BYTES, "%llu%s", (unsigned long long)(value / unit->factor), unit->name);
    return text;
}

const char *size_to_exact_text(uint64_t bytes, char *text)
{
    static const struct unit units[] = {{"T", UINT64_C(1) << 40},
                                        {"G", UINT64_C(1) << 30},
                                        {"M", UINT64_C(1) << 20},
                                        {"K", UINT64_C(1) << 10},
                                        {"", 1}};
    return bytes == UINT64_MAX ? size_to_text(bytes, text) : to_exact_text(bytes, units, text);
}

const char *duration_to_exact_text(uint64_t milliseconds, char *text)
{
    static const struct unit units[] = {{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
    return to_exact_text(milliseconds, units, text);
}

/* The digits at *text; *text moves behind them. */
static int read_number(const char **text, uint64_t *ret)
{
    uint64_t value = 0;
    if (!isdigit((unsigned char)**text)) {
        return -EINVAL;
    }
    for (; isdigit((unsigned char)**text); ++*text) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value)) {
            return -ERANGE;
        }
    }
    *ret = value;
    return 0;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static bool ends_here(const char *text)
{
    return *skip_blanks(text) == '\0';
}

/* Matches a unit's name at the end of the text. */
static const struct unit *find_unit(const char *text, const struct unit *units, size_t count)
{
    size_t length = strcspn(text, " \t");
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == length && strncasecmp(text, units[i].name, length) == 0 &&
            ends_here(text + length)) {
            return &units[i];
        }
    }
    return NULL;
}

static int multiply(uint64_t value, const struct unit *unit, uint64_t *ret)
{
    uint64_t product;
    if (!unit) {
        return -EINVAL;
    }
    if (__builtin_mul_overflow(value, unit->factor, &product)) {
        return -ERANGE;
    }
    *ret = product;
    return 0;
}

static int percent_of(uint64_t value, uint64_t whole, uint64_t *ret)
{
    unsigned __int128 product = (unsigned __int128)value * whole / 100;
    if (whole == 0) {
        return -EINVAL;
    }
    if (product > UINT64_MAX) {
        return -ERANGE;
    }
    *ret = (uint64_t)product;
    return 0;
}

int size_from_text(const char *text, uint64_t whole, uint64_t *ret)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"K", UINT64_C(1) << 10},
        {"KB", UINT64_C(1) << 10},
        {"KiB", UINT64_C(1) << 10},
        {"M", UINT64_C(1) << 20},
        {"MB", UINT64_C(1) << 20},
        {"MiB", UINT64_C(1) << 20},
        {"G", UINT64_C(1) << 30},
        {"GB", UINT64_C(1) << 30},
        {"GiB", UINT64_C(1) << 30},
        {"T", UINT64_C(1) << 40},
        {"TB", UINT64_C(1) << 40},
        {"TiB", UINT64_C(1) << 40},
    };
    uint64_t value;
    text = skip_blanks(text);
    if (strncasecmp(text, "unlimited", 9) == 0 && ends_here(text + 9)) {
        *ret = UINT64_MAX;
        return 0;
    }
    int result = read_number(&text, &value);
    if (result < 0) {
        return result;
    }
    text = skip_blanks(text);
    if (*text == '%' && ends_here(text + 1)) {
        return percent_of(value, whole, ret);
    }
    return multiply(value, find_unit(text, units, sizeof units / sizeof *units), ret);
}

int duration_from_text(const char *text, uint64_t *ret_milliseconds)
{
    static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}};
    uint64_t value;
    text = skip_blanks(text);
    int result = read_number(&text, &value);
    if (result < 0) {
        return result;
    }
    return multiply(value, find_unit(skip_blanks(text), units, sizeof units / sizeof *units), ret_milliseconds);
}
