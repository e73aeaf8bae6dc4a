/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a process is in a control group of a reservation, or below one. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "daemon/runtime/group_paths.h"

static const char *const paths[] = {"/jobs/one", "/jobs/two"};

static bool are_in(const char *groups)
{
    const struct reservation_groups reserved = {.control_groups = paths, .control_group_count = 2};
    char *copy = group_paths_copy(&reserved);
    cr_assert_not_null(copy);
    bool found = group_paths_have(copy, groups);
    free(copy);
    return found;
}

Test(group_paths, a_process_is_in_a_group_and_below_it)
{
    cr_expect(are_in("/jobs/one\n"));
    cr_expect(are_in("/jobs/two/step/task\n"));
    cr_expect(are_in("/user.slice\n/jobs/two\n"), "each hierarchy counts");
}

Test(group_paths, a_name_that_only_begins_alike_is_another_group)
{
    cr_expect_not(are_in("/jobs/ones\n"));
    cr_expect_not(are_in("/jobs\n"));
    cr_expect_not(are_in("/jobs/o\n/other/jobs/one\n"));
    cr_expect_not(are_in(""));
}

Test(group_paths, without_groups_nothing_is_in_them)
{
    const struct reservation_groups none = {0};
    char *copy = group_paths_copy(&none);
    cr_assert_not_null(copy);
    cr_expect_not(group_paths_have(copy, "/jobs/one\n"));
    free(copy);
}
