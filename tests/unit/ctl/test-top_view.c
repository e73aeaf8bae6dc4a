/* SPDX-License-Identifier: Apache-2.0 */
/* What keys do in `membrokerctl top`, and the screen that they lead to. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/top_layout.h"
#include "client/ctl/users.h"

enum { ESCAPE = 27, HEIGHT = 5 };

static struct model model;
static struct view view;
static struct picked picked;

static const struct lease_entry leases[] = {
    {.lease = 1, .session = 4, .client = "solver", .uid = 5, .bytes = 300, .location = LOCATION_RAM},
    {.lease = 2, .session = 5, .client = "Training", .uid = 6, .bytes = 100, .location = LOCATION_MMAP},
    {.lease = 3, .session = 5, .client = "\033[31mred", .uid = 6, .bytes = 200, .location = LOCATION_RAM},
};

static void show_leases(size_t first, size_t count)
{
    uint64_t unused;
    struct listing_reply page = {.leases = leases + first, .lease_count = count};
    cr_assert_eq(rows_take_page(&model.tables[TABLE_LEASES], 0, &page, 1000, &unused), 0);
}

static void choose(void)
{
    const struct page_kind *kind = &page_kinds[view.page];
    cr_assert(pick(&picked, &model.tables[kind->table], kind, &view.orders[view.page], view.filter));
    view_settle(&view, &picked, HEIGHT);
}

static void begin(void)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
    users_stay_numbers();
    model_init(&model);
    view_init(&view);
    view.page = PAGE_LEASES;
    show_leases(0, 3);
    choose();
}

static void end(void)
{
    pick_free(&picked);
    model_free(&model);
    view_free(&view);
}

TestSuite(top_view, .init = begin, .fini = end);

static enum view_action press(uint32_t key)
{
    enum view_action action = view_key(&view, key, &picked, HEIGHT);
    choose();
    return action;
}

static void type(const char *text)
{
    for (; *text; text++) {
        (void)press((unsigned char)*text);
    }
}

/* The numbers of the picked rows, in their order, as digits. */
static const char *order(void)
{
    static char digits[8];
    for (size_t i = 0; i < picked.count; i++) {
        digits[i] = (char)('0' + picked.rows[i]->number);
    }
    digits[picked.count] = '\0';
    return digits;
}

Test(top_view, largest_first_and_turned_round)
{
    cr_expect_str_eq(order(), "132");
    (void)press('r');
    cr_expect_str_eq(order(), "231");
}

Test(top_view, orders_by_the_next_column_and_back)
{
    int column = view.orders[PAGE_LEASES].column;
    (void)press('>');
    cr_expect_neq(view.orders[PAGE_LEASES].column, column);
    (void)press(VIEW_KEY_LEFT);
    cr_expect_eq(view.orders[PAGE_LEASES].column, column);
    for (int i = 0; i < page_kinds[PAGE_LEASES].column_count; i++) {
        (void)press('>');
        cr_expect_not_null(page_column_of(&page_kinds[PAGE_LEASES], view.orders[PAGE_LEASES].column));
    }
}

Test(top_view, keys_switch_pages)
{
    for (enum page page = 0; page < PAGES; page++) {
        (void)press('1' + page);
        cr_expect_eq(view.page, page);
    }
    (void)press('\t');
    cr_expect_eq(view.page, PAGE_USERS);
    (void)press('1' + PAGES);
    cr_expect_eq(view.page, PAGE_USERS);
}

Test(top_view, filters_as_one_types)
{
    (void)press('/');
    type("TRAIN");
    cr_expect_str_eq(order(), "2");
    (void)press('x');
    cr_expect_str_eq(order(), "");
    (void)press(VIEW_KEY_BACKSPACE);
    cr_expect_str_eq(order(), "2");
    (void)press('q');
    cr_expect_eq(view.mode, VIEW_FILTER, "a letter is a part of the filter");
    (void)press(ESCAPE);
    cr_expect(view.mode == VIEW_TABLE && picked.count == 3);
    type("/mmap\n");
    cr_expect(view.mode == VIEW_TABLE && picked.count == 1);
    (void)press(ESCAPE);
    cr_expect_eq(picked.count, 3);
}

Test(top_view, filter_of_more_than_ascii_is_cut_by_characters)
{
    (void)press('/');
    (void)press(0xe4);
    (void)press(0x5927);
    cr_expect_str_eq(view.filter, "\xc3\xa4\xe5\xa4\xa7");
    (void)press(VIEW_KEY_BACKSPACE);
    cr_expect_str_eq(view.filter, "\xc3\xa4");
    for (int i = 0; i < 2 * VIEW_FILTER_BYTES; i++) {
        (void)press(0x5927);
    }
    cr_expect_lt(strlen(view.filter), VIEW_FILTER_BYTES);
}

Test(top_view, the_chosen_row_stays_chosen_where_it_moves)
{
    (void)press(VIEW_KEY_DOWN);
    cr_expect_eq(view_chosen(&view, &picked)->number, 3);
    (void)press('r');
    (void)press(VIEW_KEY_END);
    cr_expect_eq(view_chosen(&view, &picked)->number, 1);
    (void)press('r');
    cr_expect_eq(view_chosen(&view, &picked)->number, 1);
    (void)press(VIEW_KEY_PAGE_DOWN);
    show_leases(0, 2);
    choose();
    cr_expect_not_null(view_chosen(&view, &picked), "the row has ended, and another one is chosen");
}

Test(top_view, no_row_no_choice)
{
    show_leases(0, 0);
    choose();
    cr_expect_null(view_chosen(&view, &picked));
    cr_expect_eq(press('k'), VIEW_NOTHING);
    (void)press(VIEW_KEY_DOWN);
    (void)press(VIEW_KEY_END);
    cr_expect_eq(view.at, 0);
}

Test(top_view, revokes_after_a_yes_alone)
{
    cr_expect_eq(press('k'), VIEW_ASK_REVOKE);
    view.mode = VIEW_CONFIRM;
    cr_expect_eq(press('\n'), VIEW_NOTHING);
    cr_expect_eq(view.mode, VIEW_TABLE);
    view.mode = VIEW_CONFIRM;
    cr_expect_eq(press('q'), VIEW_NOTHING, "no is no, and nothing else");
    view.mode = VIEW_CONFIRM;
    cr_expect_eq(press('y'), VIEW_REVOKE);
    (void)press('1');
    cr_expect_eq(press('k'), VIEW_NOTHING);
    cr_expect_not_null(strstr(view.message, "choose a lease"));
}

static void show_blocks(void)
{
    static const struct block_entry blocks[] = {
        {.block = 7,
         .owner = 5,
         .name = "weights",
         .type = "array",
         .bytes = 4096,
         .location = LOCATION_MMAP,
         .views = 3,
         .age_ms = 1500},
        {.block = 8,
         .owner = 6,
         .name = "old",
         .bytes = 8192,
         .location = LOCATION_RAM,
         .lifetime = LIFETIME_KEEP,
         .ended = END_RELEASED},
    };
    uint64_t unused;
    struct listing_reply page = {.blocks = blocks, .block_count = 2};
    cr_assert_eq(rows_take_page(&model.tables[TABLE_BLOCKS], 0, &page, 1000, &unused), 0);
    (void)press('6');
}

Test(top_view, a_block_can_be_chosen_to_unpublish)
{
    cr_expect_eq((press('6'), press('k')), VIEW_NOTHING, "there is none");
    show_blocks();
    cr_expect_str_eq(order(), "87");
    cr_expect_eq(press('k'), VIEW_ASK_REVOKE);
}

Test(top_view, texts_are_broken_at_blanks)
{
    view.width = 10;
    view_show_text(&view, strdup("one two three four\n\n0123456789 0123456789abc x\nlast"));
    cr_expect_str_eq(view.text, "one two\nthree four\n\n0123456789\n0123456789abc\nx\nlast");
    view.width = 0;
    view_show_text(&view, strdup("one two three four"));
    cr_expect_str_eq(view.text, "one two three four");
}

Test(top_view, texts_scroll_and_any_other_key_ends_them)
{
    view_show_text(&view, strdup("1\n2\n3\n4\n5\n6\n7\n8\n"));
    (void)press(VIEW_KEY_DOWN);
    cr_expect_eq(view.first_line, 1);
    (void)press(VIEW_KEY_PAGE_DOWN);
    (void)press(VIEW_KEY_DOWN);
    cr_expect_eq(view.first_line, 3);
    (void)press(VIEW_KEY_PAGE_UP);
    (void)press(VIEW_KEY_UP);
    cr_expect_eq(view.first_line, 0);
    cr_expect_eq(press('q'), VIEW_NOTHING);
    cr_expect_eq(view.mode, VIEW_TABLE);
    cr_expect_eq(press('q'), VIEW_QUIT);
}

/* ---- the screen ---- */

static bool is_silent;

static char *screen(int width, int height, bool is_ascii, const char *failure)
{
    char *text = NULL;
    size_t length;
    const struct layout layout = {.model = &model,
                                  .view = &view,
                                  .picked = &picked,
                                  .host = "host",
                                  .clock = "12:00:00",
                                  .failure = failure,
                                  .is_silent = is_silent,
                                  .now_ms = 2000};
    struct grid *grid = grid_new(width, height, is_ascii);
    layout_draw(grid, &layout);
    FILE *file = open_memstream(&text, &length);
    grid_print(grid, file);
    (void)fclose(file);
    grid_free(grid);
    return text;
}

static void give_status(void)
{
    model.has_status = true;
    (void)strcpy(model.broker.version, "9.9");
    model.broker.status = (struct status_reply){
        .uptime_ms = 61500,
        .sessions = 1,
        .leases = 3,
        .used_bytes = 70,
        .used_physical_bytes = 50,
        .used_mapped_bytes = 20,
        .freeing_bytes = 20,
        .freeing_physical_bytes = 10,
        .pooled_bytes = 10,
        .reserved_bytes = 10,
        .waiting = 2,
        .limits = {.max_bytes = 200, .max_physical_bytes = 100, .max_mapped_bytes = UINT64_MAX},
    };
}

Test(top_view, the_whole_screen)
{
    give_status();
    char *text = screen(80, 12, true, "");
    cr_expect_str_eq(text, "membroker 9.9 on host, up 1min 1s: 1 session, 3 leases                  12:00:00\n"
                           "RAM   [############++++xxxx====................]   50 bytes of 100 bytes  50.0 %\n"
                           "files [####################xxxxxxxxxxxxxxxxxxxx]          20 bytes of unlimited\n"
                           "both  [########++xxxx==........................]   70 bytes of 200 bytes  35.0 %\n"
                           "# leased 40 bytes + pool 10 bytes x freeing 20 bytes = reserved 10 bytes\n"
                           "grants -  refusals -  expiries -  waiting 2  pressure none\n"
                           " 1 users  2 classes  3 sessions  4 leases  5 queue  6 blocks\n"
                           "  LEASE CLIENT         USER          BYTESv       USED IN        LEFT HISTORY\n"
                           "      1 solver         5          300 bytes    0 bytes ram        0ms          _\n"
                           "      3 ?[31mred       6          200 bytes    0 bytes ram        0ms          _\n"
                           "      2 Training       6          100 bytes    0 bytes mmap       0ms          _\n"
                           "?help q quit / filter <> sort r turn k revoke w why                       1 of 3\n");
    free(text);
}

Test(top_view, blocks_have_their_page)
{
    give_status();
    show_blocks();
    char *text = screen(80, 11, true, "");
    cr_expect_str_eq(strstr(text, " 1 users"),
                     " 1 users  2 classes  3 sessions  4 leases  5 queue  6 blocks\n"
                     "NAME                OWNER    TYPE         BYTESv IN    VIEWS LIFETIME        AGE\n"
                     "old                 6        -             8 KiB ram       0 keep            0ms\n"
                     "weights             5        array         4 KiB mmap      3 session        1.5s\n"
                     "?help q quit / filter <> sort r turn k unpublish w why                    1 of 2\n");
    free(text);
    text = screen(140, 11, true, "");
    cr_expect_not_null(strstr(text, " user "), "who may attach it");
    cr_expect_not_null(strstr(text, " its publisher freed it "), "why its name has ended, if there is room");
    free(text);
}

Test(top_view, a_broker_that_is_gone_is_told_first)
{
    give_status();
    char *text = screen(60, 12, false, "the broker went away");
    cr_expect_eq(strncmp(text, "NO BROKER: the broker went away\n", 32), 0);
    cr_expect_not_null(strstr(text, "solver"), "what was known stays on the screen");
    free(text);
}

Test(top_view, a_broker_that_does_not_answer_is_not_gone)
{
    give_status();
    is_silent = true;
    char *text = screen(60, 12, false, "connected to the broker");
    cr_expect_eq(strncmp(text, "NO ANSWER: connected to the broker\n", 35), 0);
    free(text);
}

Test(top_view, a_screen_without_room_for_a_row_says_so)
{
    give_status();
    char *text = screen(30, 6, false, "");
    cr_expect_str_eq(text, "too small: 40x10 needed\n\n\n\n\n\n");
    free(text);
    text = screen(40, 10, false, "");
    cr_expect_not_null(strstr(text, "solver"));
    free(text);
}

Test(top_view, a_question_keeps_its_answers_whatever_the_name)
{
    give_status();
    view.mode = VIEW_CONFIRM;
    (void)strcpy(view.message, "revoke lease 4 (29 MiB) of patient-client-with-a-long-name, user root, uid 0");
    char *text = screen(40, 12, false, "");
    cr_expect_not_null(strstr(text, "\nrevoke lease 4 (29 MiB) of patie? y or n\n"));
    free(text);
    text = screen(200, 12, false, "");
    cr_expect_not_null(strstr(text, "uid 0? y or n\n"));
    free(text);
}

Test(top_view, a_text_says_how_much_of_it_is_below)
{
    give_status();
    view_show_text(&view, strdup("1\n2\n3\n4\n5\n6\n"));
    char *text = screen(80, 12, false, "");
    cr_expect_not_null(strstr(text, " 2 more lines below\n"));
    cr_expect_not_null(strstr(text, "\n4\n"));
    cr_expect_null(strstr(text, "\n5\n"));
    free(text);
    (void)press(VIEW_KEY_DOWN);
    text = screen(80, 12, false, "");
    cr_expect_not_null(strstr(text, " 1 more line below\n"));
    free(text);
    text = screen(80, 16, false, "");
    cr_expect_not_null(strstr(text, " the end\n"));
    free(text);
}

Test(top_view, any_size_and_every_page)
{
    give_status();
    for (int width = 1; width < 200; width += 7) {
        for (int height = 1; height < 30; height += 3) {
            view.page = (enum page)(width % PAGES);
            choose();
            char *text = screen(width, height, false, "");
            size_t lines = 0;
            for (const char *at = text; *at; at++) {
                lines += *at == '\n';
            }
            cr_expect_eq(lines, (size_t)height);
            free(text);
        }
    }
}
