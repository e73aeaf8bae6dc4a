/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and durations as text. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "proto/base/size.h"

#define GIB (UINT64_C(1) << 30)

static uint64_t size(const char *text, uint64_t whole)
{
    uint64_t bytes = 4711;
    int result = size_from_text(text, whole, &bytes);
    cr_expect_eq(result, 0, "%s gives %d", text, result);
    return bytes;
}

static int error(const char *text, uint64_t whole)
{
    uint64_t untouched = 4711;
    int result = size_from_text(text, whole, &untouched);
    cr_expect_eq(untouched, 4711);
    return result;
}

Test(size, texts_are_parsed)
{
    cr_expect_eq(size("0", 0), 0);
    cr_expect_eq(size("12345", 0), 12345);
    cr_expect_eq(size("8G", 0), 8 * GIB);
    cr_expect_eq(size(" 512 m ", 0), GIB / 2);
    cr_expect_eq(size("512MiB", 0), GIB / 2);
    cr_expect_eq(size("1kb", 0), 1024);
    cr_expect_eq(size("2T", 0), 2048 * GIB);
    cr_expect_eq(size("25%", 1000), 250);
    cr_expect_eq(size("33%", 10), 3, "truncated");
    cr_expect_eq(size("300%", UINT64_C(1) << 60), 3 * (UINT64_C(1) << 60));
    cr_expect_eq(size("unlimited", 0), UINT64_MAX);
    cr_expect_eq(size("18446744073709551615", 0), UINT64_MAX);
}

Test(size, every_unit_has_its_factor)
{
    static const struct {
        const char *text;
        unsigned shift;
    } units[] = {{"1B", 0},  {"1K", 10},  {"1KB", 10},  {"1KiB", 10}, {"1M", 20},  {"1MB", 20}, {"1MiB", 20},
                 {"1G", 30}, {"1GB", 30}, {"1GiB", 30}, {"1T", 40},   {"1TB", 40}, {"1TiB", 40}};
    char text[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        cr_expect_eq(size(units[i].text, 0), UINT64_C(1) << units[i].shift, "%s", units[i].text);
    }
    cr_expect_str_eq(size_to_text(1023, text), "1023 bytes");
    cr_expect_str_eq(size_to_text(1024, text), "1 KiB");
    cr_expect_str_eq(size_to_text(UINT64_C(1) << 20, text), "1 MiB");
    cr_expect_str_eq(size_to_text(UINT64_C(1) << 40, text), "1 TiB");
    cr_expect_str_eq(size_to_text((UINT64_C(1) << 20) - 1, text), "1023.9 KiB");
    cr_expect_str_eq(duration_to_text(999, text), "999ms");
    cr_expect_str_eq(duration_to_text(1000, text), "1s");
}

Test(size, sums_and_products_stop_at_the_top_and_differences_at_0)
{
    cr_expect_eq(size_add_saturated(1, 2), 3);
    cr_expect_eq(size_add_saturated(UINT64_MAX - 1, 1), UINT64_MAX);
    cr_expect_eq(size_add_saturated(UINT64_MAX, 1), UINT64_MAX);
    cr_expect_eq(size_multiply_saturated(3, 4), 12);
    cr_expect_eq(size_multiply_saturated(UINT64_C(1) << 63, 2), UINT64_MAX);
    cr_expect_eq(size_subtract_floored(5, 3), 2);
    cr_expect_eq(size_subtract_floored(3, 5), 0);
    cr_expect(size_min(3, 5) == 3 && size_min(5, 3) == 3);
}

Test(size, invalid_texts_are_refused)
{
    static const char *const bad[] = {"",    " ",    "G",   "-1", "+1",  "1.5G",       "1X",
                                      "1 2", "0x10", "1GG", "%",  "1e3", "unlimitedly"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(error(bad[i], 100), -EINVAL, "%s", bad[i]);
    }
    cr_expect_eq(error("18446744073709551616", 0), -ERANGE);
    cr_expect_eq(error("16777216T", 0), -ERANGE);
    cr_expect_eq(error("25%", 0), -EINVAL, "a percentage of nothing");
}

Test(size, texts_are_written)
{
    char text[SIZE_TEXT_BYTES];
    cr_expect_str_eq(size_to_text(0, text), "0 bytes");
    cr_expect_str_eq(size_to_text(1023, text), "1023 bytes");
    cr_expect_str_eq(size_to_text(4096, text), "4 KiB");
    cr_expect_str_eq(size_to_text(8 * GIB, text), "8 GiB");
    cr_expect_str_eq(size_to_text(GIB + GIB / 2, text), "1.5 GiB");
    cr_expect_str_eq(size_to_text(UINT64_MAX, text), "unlimited");
    cr_expect_str_eq(size_to_text(UINT64_MAX - 1, text), "16777215.9 TiB");
    cr_expect_str_eq(duration_to_text(500, text), "500ms");
    cr_expect_str_eq(duration_to_text(30000, text), "30s");
    cr_expect_str_eq(duration_to_text(1500, text), "1.5s");
    cr_expect_str_eq(duration_to_text(59999, text), "59.9s");
    cr_expect_str_eq(duration_to_text(60000, text), "1min");
    cr_expect_str_eq(duration_to_text(90500, text), "1min 30s");
    cr_expect_str_eq(duration_to_text(7200 * 1000, text), "2h");
    cr_expect_str_eq(duration_to_text((UINT64_C(2) * 60 + 5) * 60000 + 59999, text), "2h 5min");
    cr_expect_str_eq(duration_to_text(UINT64_C(25) * 3600 * 1000, text), "1d 1h");
    cr_expect_str_eq(duration_to_text(UINT64_MAX, text), "213503982334d 14h");
}

Test(size, exact_texts_are_parsed_as_the_same_value)
{
    static const struct {
        uint64_t value;
        const char *size, *duration;
    } cases[] = {{0, "0", "0ms"},
                 {1, "1", "1ms"},
                 {1000, "1000", "1s"},
                 {90 * 1000, "90000", "90s"},
                 {3600 * 1000, "3600000", "1h"},
                 {64 << 20, "64M", "67108864ms"},
                 {3 * GIB / 2, "1536M", "1610612736ms"},
                 {UINT64_C(3) << 40, "3T", "3298534883328ms"}};
    char text[SIZE_TEXT_BYTES];
    uint64_t again;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_str_eq(size_to_exact_text(cases[i].value, text), cases[i].size);
        cr_expect(size_from_text(text, 0, &again) == 0 && again == cases[i].value, "%s", text);
        cr_expect_str_eq(duration_to_exact_text(cases[i].value, text), cases[i].duration);
        cr_expect(duration_from_text(text, &again) == 0 && again == cases[i].value, "%s", text);
    }
    cr_expect_str_eq(size_to_exact_text(UINT64_MAX, text), "unlimited");
}

Test(size, durations_need_a_unit)
{
    uint64_t ms;
    cr_expect(duration_from_text("500ms", &ms) == 0 && ms == 500);
    cr_expect(duration_from_text("30s", &ms) == 0 && ms == 30000);
    cr_expect(duration_from_text(" 5 min ", &ms) == 0 && ms == 300000);
    cr_expect(duration_from_text("2h", &ms) == 0 && ms == 7200000);
    cr_expect_eq(duration_from_text("30", &ms), -EINVAL);
    cr_expect_eq(duration_from_text("30 parsecs", &ms), -EINVAL);
    cr_expect_eq(duration_from_text("99999999999999999999s", &ms), -ERANGE);
}

Test(size, rounding_up_notices_overflow)
{
    uint64_t rounded;
    cr_expect(size_round_up(1, 4096, &rounded) && rounded == 4096);
    cr_expect(size_round_up(4096, 4096, &rounded) && rounded == 4096);
    cr_expect(size_round_up(0, 4096, &rounded) && rounded == 0);
    cr_expect_not(size_round_up(UINT64_MAX - 5, 4096, &rounded));
}
