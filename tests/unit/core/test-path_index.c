/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that are found by their text, whatever else is in the index. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/path_index.h"
#include "tests/unit/core/sharing.h"

TestSuite(path_index);

enum { MANY = 1000, PATH_BYTES = 32 };

/* The owners of the paths that the groups lie below, as a text. */
static const char *owners(const struct path_index *index, const char *groups)
{
    static char text[256];
    struct path_walk walk = path_walk_begin(groups);
    const struct path_place *place;
    text[0] = '\0';
    while ((place = path_walk_next(index, &walk))) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%zu:%u ", place->owner, place->names);
    }
    return text;
}

Test(path_index, a_group_lies_below_the_paths_above_it)
{
    struct path_index index;
    cr_assert_eq(path_index_init(&index, 4), 0);
    path_index_add(&index, "/a", 0);
    path_index_add(&index, "/a/b/c", 1);
    path_index_add(&index, "/ab", 2);
    path_index_add(&index, "/a b:c", 3);
    cr_expect_str_eq(owners(&index, "/a\n"), "0:2 ");
    cr_expect_str_eq(owners(&index, "/a/b/c/d\n"), "0:2 1:4 ");
    cr_expect_str_eq(owners(&index, "/a/b/cd\n"), "0:2 ");
    cr_expect_str_eq(owners(&index, "/ab/x\n/\n/a/b/c\n"), "2:2 0:2 1:4 ");
    cr_expect_str_eq(owners(&index, "/x/a\n/abc\n/a b:c/d\n"), "3:2 ");
    cr_expect_str_eq(owners(&index, "/\n"), "");
    cr_expect_str_eq(owners(&index, ""), "");
    cr_expect_str_eq(owners(&index, NULL), "");
    path_index_deinit(&index);
    cr_expect_str_eq(owners(&index, "/a\n"), "", "there is no index");
}

/* Each alone, and beside all others: those that are not there share places with those that are. */
Test(path_index, every_path_is_found_and_no_other)
{
    static char paths[MANY][PATH_BYTES], text[2 * PATH_BYTES], expected[PATH_BYTES];
    struct path_index all;
    cr_assert_eq(path_index_init(&all, MANY), 0);
    for (int i = 0; i < MANY; i++) {
        struct path_index one;
        (void)snprintf(paths[i], PATH_BYTES, i % 2 ? "/job_%d/x" : "/job_%d", i);
        path_index_add(&all, paths[i], (size_t)i);
        cr_assert_eq(path_index_init(&one, 1), 0);
        path_index_add(&one, paths[i], 7);
        (void)snprintf(text, sizeof text, "/job_%d/x/y\n", i);
        cr_expect_str_eq(owners(&one, text), i % 2 ? "7:3 " : "7:2 ");
        (void)snprintf(text, sizeof text, "/job_%d0\n/job_\n", i);
        cr_expect_str_eq(owners(&one, text), "", "%s", text);
        path_index_deinit(&one);
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof text, "/job_%d/x\n", i);
        (void)snprintf(expected, sizeof expected, "%d:%d ", i, i % 2 ? 3 : 2);
        cr_expect_str_eq(owners(&all, text), expected);
        (void)snprintf(text, sizeof text, "/job_%d/y\n/jobs_%d\n", i, i);
        cr_expect_str_eq(owners(&all, text), i % 2 ? "" : expected);
    }
    path_index_deinit(&all);
}
