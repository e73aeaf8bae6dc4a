/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `membrokerctl top`: characters, bars, histories, rates, and reading a broker that is a table here. */
#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/top_chart.h"
#include "client/ctl/top_model.h"

static void use_utf8(void)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

TestSuite(top, .init = use_utf8);

/* The screen as lines; the caller frees it. */
static char *text_of(const struct grid *grid)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    grid_print(grid, file);
    (void)fclose(file);
    return text;
}

static void expect_text(struct grid *grid, const char *expected)
{
    char *text = text_of(grid);
    cr_expect_str_eq(text, expected);
    free(text);
    grid_free(grid);
}

/* ---- characters ---- */

Test(top, no_text_changes_the_terminal)
{
    struct grid *grid = grid_new(16, 1, false);
    (void)grid_put(grid, 0, 0, 16, STYLE_PLAIN, "a\033[2Jb\x9b\n\xe2\x80\xae\xc2\x9b\xcc\x81");
    expect_text(grid, "a?[2Jb?????\n");
}

Test(top, cut_at_the_end_of_its_columns)
{
    struct grid *grid = grid_new(8, 2, false);
    cr_expect_eq(grid_put(grid, 0, 0, 4, STYLE_PLAIN, "abcdef"), 4);
    cr_expect_eq(grid_put(grid, 1, 0, 4, STYLE_PLAIN, "a\xe5\xa4\xa7\xe5\xa4\xa7"), 3, "half a character is none");
    cr_expect_eq(grid_put(grid, 1, 7, 4, STYLE_PLAIN, "xy"), 1);
    cr_expect_eq(grid_put(grid, 5, 0, 4, STYLE_PLAIN, "outside"), 4);
    expect_text(grid, "abcd\na\xe5\xa4\xa7    x\n");
}

Test(top, right_aligned_by_columns_and_not_by_bytes)
{
    struct grid *grid = grid_new(6, 2, false);
    grid_put_right(grid, 0, 0, 6, STYLE_PLAIN, "\xc3\xa4\xc3\xb6");
    grid_put_right(grid, 1, 0, 4, STYLE_PLAIN, "abcdef");
    expect_text(grid, "    \xc3\xa4\xc3\xb6\nabcd\n");
}

Test(top, ascii_alone)
{
    struct grid *grid = grid_new(4, 1, true);
    (void)grid_put(grid, 0, 0, 4, STYLE_PLAIN, "a\xc3\xa4");
    expect_text(grid, "a?\n");
}

/* ---- bars and lines ---- */

static struct bar bar(uint64_t leased, uint64_t pooled, uint64_t freeing, uint64_t reserved, uint64_t limit)
{
    return (struct bar){{leased, pooled, freeing, reserved}, limit};
}

static void expect_bar(struct bar bar, const char *expected)
{
    struct grid *grid = grid_new(10, 1, true);
    chart_bar(grid, 0, 0, 10, &bar);
    expect_text(grid, expected);
}

Test(top, bar_has_its_parts)
{
    expect_bar(bar(50, 20, 10, 10, 100), "#####++x=.\n");
    expect_bar(bar(0, 0, 0, 0, 100), "..........\n");
    expect_bar(bar(100, 0, 0, 0, 100), "##########\n");
    expect_bar(bar(1, 0, 1, 0, 1000000), "#x........\n"); /* a little is seen */
    expect_bar(bar(90, 0, 0, 90, 100), "#####=====\n");   /* more than the limit */
    expect_bar(bar(30, 0, 10, 0, UINT64_MAX), "########xx\n");
    expect_bar(bar(0, 0, 0, 0, 0), "..........\n");
}

Test(top, line_of_samples)
{
    const float samples[] = {-1, 0, 1, 50, 100};
    struct grid *grid = grid_new(6, 2, true);
    chart_line(grid, 0, 0, 6, samples, 5);
    chart_line(grid, 1, 0, 2, samples, 5);
    expect_text(grid, "  _.=#\n=#\n");
}

/* ---- history and rates ---- */

Test(top, history_moves_with_the_time)
{
    struct history history = {.slot = 0};
    history_note(&history, 1000, 5);
    history_note(&history, 9999, 7);
    cr_expect(history.samples[HISTORY_SAMPLES - 1] == 7 && history.samples[HISTORY_SAMPLES - 2] == -1);
    history_note(&history, 30000, 9);
    const float *newest = &history.samples[HISTORY_SAMPLES - 4];
    cr_expect(newest[0] == 7 && newest[1] == 7 && newest[2] == 7 && newest[3] == 9);
    history_note(&history, 1000UL * HISTORY_SLOT_MS, 1);
    cr_expect(newest[2] == -1 && newest[3] == 1);
}

Test(top, rates_of_counters_that_begin_again)
{
    struct rates rates = {.is_known = false};
    rates_note(&rates, 1000, &(struct broker_counters){.granted = 10, .refused = 1});
    cr_expect_not(rates.is_known);
    rates_note(&rates, 3000, &(struct broker_counters){.granted = 30, .refused = 2, .expired = 4});
    cr_expect(rates.is_known && rates.granted == 10 && rates.refused == 0.5 && rates.expired == 2);
    rates_note(&rates, 4000, &(struct broker_counters){.granted = 3});
    cr_expect_eq(rates.granted, 3);
    rates_note(&rates, 4000, &(struct broker_counters){.granted = 4});
    cr_expect_eq(rates.granted, 3, "no time has passed");
}

/* ---- a broker that is a table ---- */

enum { LEASES = 2000, PAGE_OF = 200 };

static struct fake {
    struct lease_entry leases[LEASES + 1];
    size_t count;
    size_t sent, requests;
    int failure;
    int32_t pid;
    struct reply reply;
    struct usage_entry user;
} fake;

static void fill_leases(size_t count)
{
    fake.count = count;
    for (size_t i = 0; i < count; i++) {
        fake.leases[i] = (struct lease_entry){.lease = i + 1, .session = 1 + i % 10, .bytes = 4096, .used_bytes = i};
    }
    fake.user = (struct usage_entry){.number = 1, .kind = USAGE_USER, .has_id = true, .name = "0", .bytes = 5};
}

static void list_leases(const struct list_request *list)
{
    size_t first = 0, most = list->most && list->most < PAGE_OF ? list->most : PAGE_OF;
    while (first < fake.count && fake.leases[first].lease <= list->after) {
        first++;
    }
    size_t count = fake.count - first < most ? fake.count - first : most;
    fake.reply.listing.leases = fake.leases + first;
    fake.reply.listing.lease_count = count;
    fake.reply.listing.more = first + count < fake.count;
    fake.sent += count;
}

static int ask(void *data, struct request *request, const struct reply **ret)
{
    (void)data;
    fake.requests++;
    fake.reply = (struct reply){.kind = REPLY_LISTING};
    if (request->kind == REQUEST_STATUS) {
        fake.reply.kind = REPLY_STATUS;
        fake.reply.status = (struct status_reply){.daemon_version = "1",
                                                  .configuration_error = "",
                                                  .warnings = "one\ntwo",
                                                  .pid = fake.pid,
                                                  .leases = fake.count};
    } else if (request->list.what == LIST_LEASES) {
        list_leases(&request->list);
    } else if (request->list.what == LIST_USAGE) {
        fake.reply.listing.usage = &fake.user;
        fake.reply.listing.usage_count = 1;
    }
    *ret = &fake.reply;
    return fake.failure;
}

static struct model model;

static void refresh(const uint64_t *shown, size_t count, uint64_t now_ms)
{
    fake.sent = fake.requests = 0;
    cr_assert_eq(model_refresh(&model, ask, NULL, TABLE_LEASES, shown, count, now_ms), 0);
}

static const struct lease_entry *lease(uint64_t number)
{
    const struct row *row = rows_find(&model.tables[TABLE_LEASES], number);
    return row ? (const void *)row->entry : NULL;
}

static void end_lease(uint64_t number)
{
    memmove(&fake.leases[number - 1], &fake.leases[number], (fake.count - number) * sizeof *fake.leases);
    fake.count--;
}

static void begin_lease(uint64_t number)
{
    fake.leases[fake.count++] = (struct lease_entry){.lease = number, .bytes = 1};
}

Test(top, first_refresh_reads_the_whole_table)
{
    fill_leases(LEASES);
    model_init(&model);
    refresh(NULL, 0, 1000);
    cr_expect_eq(model.tables[TABLE_LEASES].count, LEASES);
    cr_expect(model.has_status && model.broker.warnings == 2 && model.tables[TABLE_USAGE].count == 1);
    model_free(&model);
}

Test(top, refresh_costs_no_more_than_its_pages)
{
    const uint64_t shown[] = {7, 1500};
    fill_leases(LEASES);
    model_init(&model);
    refresh(NULL, 0, 1000);
    for (uint64_t second = 2; second < 20; second++) {
        refresh(shown, 2, second * 1000);
        cr_expect_leq(fake.sent, MODEL_PAGES * PAGE_OF + 2);
        cr_expect_leq(fake.requests, 2 + MODEL_PAGES + 2 + 1 + 1);
    }
    model_free(&model);
}

Test(top, what_the_screen_shows_is_never_old)
{
    const uint64_t shown[] = {1500, 1600};
    fill_leases(LEASES);
    model_init(&model);
    refresh(NULL, 0, 1000);
    fake.leases[1499].used_bytes = 77;
    end_lease(1600);
    begin_lease(LEASES + 1);
    refresh(shown, 2, 2000);
    cr_expect_eq(lease(1500)->used_bytes, 77);
    cr_expect_null(lease(1600));
    cr_expect_not_null(lease(LEASES + 1));
    cr_expect_not_null(lease(1601));
    model_free(&model);
}

Test(top, other_rows_follow_within_a_pass)
{
    fill_leases(LEASES);
    model_init(&model);
    refresh(NULL, 0, 1000);
    uint64_t complete = model.tables[TABLE_LEASES].complete_ms;
    fake.leases[1899].used_bytes = 77;
    end_lease(1800);
    for (uint64_t second = 2; second < 2 + LEASES / PAGE_OF / MODEL_PAGES + 1; second++) {
        refresh(NULL, 0, second * 1000);
    }
    cr_expect_eq(lease(1900)->used_bytes, 77);
    cr_expect_null(lease(1800));
    cr_expect_eq(model.tables[TABLE_LEASES].count, LEASES - 1);
    cr_expect_gt(model.tables[TABLE_LEASES].complete_ms, complete);
    model_free(&model);
}

Test(top, histories_go_on_while_rows_are_replaced)
{
    fill_leases(3);
    model_init(&model);
    fake.leases[1].used_bytes = 5;
    refresh(NULL, 0, 1000);
    fake.leases[1].used_bytes = 6;
    refresh(NULL, 0, 1000 + HISTORY_SLOT_MS);
    const float *samples = rows_find(&model.tables[TABLE_LEASES], 2)->history.samples;
    cr_expect(samples[HISTORY_SAMPLES - 2] == 5 && samples[HISTORY_SAMPLES - 1] == 6);
    model_free(&model);
}

Test(top, a_failure_leaves_what_is_known)
{
    fill_leases(3);
    model_init(&model);
    refresh(NULL, 0, 1000);
    fake.failure = -ENOTCONN;
    cr_expect_eq(model_refresh(&model, ask, NULL, TABLE_LEASES, NULL, 0, 2000), -ENOTCONN);
    cr_expect(model.has_status && model.tables[TABLE_LEASES].count == 3);
    fake.failure = 0;
    model_free(&model);
}

Test(top, rows_of_another_daemon_are_forgotten)
{
    fill_leases(LEASES);
    model_init(&model);
    refresh(NULL, 0, 1000);
    fill_leases(5);
    fake.leases[0].used_bytes = 3;
    fake.pid = 2;
    refresh(NULL, 0, 1000 + HISTORY_SLOT_MS);
    cr_expect_eq(model.tables[TABLE_LEASES].count, 5);
    cr_expect_eq(rows_find(&model.tables[TABLE_LEASES], 1)->history.samples[HISTORY_SAMPLES - 2], -1);
    model_free(&model);
}
