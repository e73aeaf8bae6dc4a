/* SPDX-License-Identifier: Apache-2.0 */
/* Types of sizes, durations and numbers. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/ids.h"
#include "daemon/config/value.h"
#include "proto/base/size.h"

/* ---- sizes ---- */

/* 0 and "unlimited" are LIMIT_OFF. */
static const char *parse_bytes(struct value_reading *reading, const char *text, void *value)
{
    uint64_t *bytes = value;
    int result = size_from_text(text, reading->host_bytes, bytes);
    if (result == -ERANGE) {
        return "it is too large for 64 bits";
    }
    if (result < 0) {
        return "a size is expected, such as 512M, 8G, 25% (of memory), or unlimited";
    }
    if (*bytes == 0) {
        *bytes = LIMIT_OFF;
    }
    return NULL;
}

static const char *parse_byte_limit(struct value_reading *reading, const char *text, void *value)
{
    if (strcmp(text, "nothing") == 0) {
        *(uint64_t *)value = 0;
        return NULL;
    }
    return parse_bytes(reading, text, value);
}

/* For an amount that is kept ready or reserved, 0 means none, not unlimited. */
static const char *parse_amount(struct value_reading *reading, const char *text, void *value)
{
    uint64_t *bytes = value;
    const char *wrong = parse_byte_limit(reading, text, value);
    if (!wrong && *bytes == LIMIT_OFF) {
        *bytes = 0;
        wrong = strcmp(text, "unlimited") == 0 ? "this must have a size; 0 is none" : NULL;
    }
    return wrong;
}

static void print_bytes(const struct value_type *type, const void *value, FILE *out)
{
    char exact[SIZE_TEXT_BYTES], about[SIZE_TEXT_BYTES];
    uint64_t bytes = *(const uint64_t *)value;
    (void)type;
    (void)fputs(size_to_exact_text(bytes, exact), out);
    if (strspn(exact, "0123456789") > 4) {
        (void)fprintf(out, " # %s", size_to_text(bytes, about));
    }
}

static void print_byte_limit(const struct value_type *type, const void *value, FILE *out)
{
    if (*(const uint64_t *)value == 0) {
        (void)fputs("nothing", out); /* 0 would be read as no limit */
    } else {
        print_bytes(type, value, out);
    }
}

const struct value_type value_type_BYTES = {
    .name = "size or unlimited", .bytes = sizeof(value_BYTES), .parse = parse_bytes, .print = print_bytes};

const struct value_type value_type_BYTE_LIMIT = {.name = "size, unlimited or nothing",
                                                 .bytes = sizeof(value_BYTE_LIMIT),
                                                 .parse = parse_byte_limit,
                                                 .print = print_byte_limit};

const struct value_type value_type_AMOUNT = {
    .name = "size", .bytes = sizeof(value_AMOUNT), .parse = parse_amount, .print = print_bytes};

enum { HISTORY_LEAST = 65536, HISTORY_MOST = 67108864 };

static const char *parse_history(struct value_reading *reading, const char *text, void *value)
{
    uint64_t *bytes = value;
    const char *wrong = parse_amount(reading, text, value);
    bool is_in_bounds = *bytes == 0 || (*bytes >= HISTORY_LEAST && *bytes <= HISTORY_MOST);
    return wrong || is_in_bounds ? wrong : "a size from 64K to 64M is expected, or 0 for no history";
}

const struct value_type value_type_HISTORY = {
    .name = "size from 64K to 64M, or 0", .bytes = sizeof(value_HISTORY), .parse = parse_history, .print = print_bytes};

/* ---- durations and numbers ---- */

static const char *parse_duration(struct value_reading *reading, const char *text, void *value)
{
    uint64_t milliseconds;
    if (reading->least == 0 && strcmp(text, "0") == 0) {
        *(uint32_t *)value = 0;
        return NULL;
    }
    if (duration_from_text(text, &milliseconds) < 0) {
        return "a duration with its unit is expected, such as 500ms, 30s, 5min or 2h";
    }
    if (milliseconds < reading->least || milliseconds > reading->most) {
        return "a duration of at least 1ms and at most 24 days is expected";
    }
    *(uint32_t *)value = (uint32_t)milliseconds;
    return NULL;
}

static void print_duration(const struct value_type *type, const void *value, FILE *out)
{
    char text[SIZE_TEXT_BYTES];
    (void)type;
    (void)fputs(duration_to_exact_text(*(const uint32_t *)value, text), out);
}

const struct value_type value_type_DURATION = {
    .name = "duration", .bytes = sizeof(value_DURATION), .parse = parse_duration, .print = print_duration};

static const char *parse_number(struct value_reading *reading, const char *text, void *value)
{
    uint32_t number = 0;
    if (!number_from_text(text, reading->most, &number) || number < reading->least) {
        (void)snprintf(reading->wrong, sizeof reading->wrong, "a number from %" PRIu32 " to %" PRIu32 " is expected",
                       reading->least, reading->most);
        return reading->wrong;
    }
    *(uint32_t *)value = number;
    return NULL;
}

static void print_number(const struct value_type *type, const void *value, FILE *out)
{
    (void)type;
    (void)fprintf(out, "%" PRIu32, *(const uint32_t *)value);
}

const struct value_type value_type_NUMBER = {
    .name = "number", .bytes = sizeof(value_NUMBER), .has_range = true, .parse = parse_number, .print = print_number};

/* 0 means no limit, as it does for sizes. */
static const char *parse_count_limit(struct value_reading *reading, const char *text, void *value)
{
    uint64_t *limit = value;
    uint32_t count = 0;
    if (strcmp(text, "nothing") == 0) {
        *limit = 0;
        return NULL;
    }
    const char *wrong = strcmp(text, "unlimited") == 0 ? NULL : parse_number(reading, text, &count);
    if (!wrong) {
        *limit = count ? count : LIMIT_OFF;
    }
    return wrong;
}

static void print_count_limit(const struct value_type *type, const void *value, FILE *out)
{
    uint64_t limit = *(const uint64_t *)value;
    (void)type;
    if (limit == 0 || limit == LIMIT_OFF) {
        (void)fputs(limit ? "unlimited" : "nothing", out);
    } else {
        (void)fprintf(out, "%" PRIu64, limit);
    }
}

const struct value_type value_type_COUNT_LIMIT = {.name = "number, unlimited or nothing",
                                                  .bytes = sizeof(value_COUNT_LIMIT),
                                                  .shows_default = true,
                                                  .parse = parse_count_limit,
                                                  .print = print_count_limit};

static const char *parse_percent(struct value_reading *reading, const char *text, void *value)
{
    char *end;
    unsigned long percent = strtoul(text, &end, 10);
    bool is_off = percent == 0 && *end == '\0';
    if (*text < '0' || *text > '9' || percent > reading->most || (strcmp(end, "%") != 0 && !is_off)) {
        return "a part of the time from 1% to 99% is expected, or 0 not to look";
    }
    *(uint32_t *)value = (uint32_t)percent;
    return NULL;
}

static void print_percent(const struct value_type *type, const void *value, FILE *out)
{
    (void)type;
    (void)fprintf(out, "%" PRIu32 "%%", *(const uint32_t *)value);
}

const struct value_type value_type_PERCENT = {
    .name = "percent or 0", .bytes = sizeof(value_PERCENT), .parse = parse_percent, .print = print_percent};
