/* SPDX-License-Identifier: Apache-2.0 */
/* Processes whose control groups differ between hierarchies, and may be those of several reservations. */
#include <string.h>

#include "daemon/core/control_group.h"
#include "tests/unit/core/reserving.h"

TestSuite(hierarchies);

/* What the daemon makes of this text of /proc/PID/cgroup. */
static void open_with(struct model *model, int peer, const char *text)
{
    char groups[CONTROL_GROUPS_SIZE];
    cr_assert_eq(control_groups_parse(text, groups), 0);
    model_open_in(model, peer, "x", groups);
}

static void expect_used(struct model *model, uint64_t first, uint64_t second)
{
    cr_expect_eq(entry_of(model, "first").used_bytes, first);
    cr_expect_eq(entry_of(model, "second").used_bytes, second);
}

/* Whatever the order in which the kernel names the hierarchies. */
Test(hierarchies, who_is_in_two_reservations_is_charged_to_the_closer_one_alone)
{
    static const char *const texts[] = {
        "3:memory:/first\n2:cpu:/jobs/second/step\n1:name=systemd:/\n0::/system.slice\n",
        "3:memory:/jobs/second/step\n2:cpu:/first\n1:name=systemd:/\n0::/system.slice\n",
        "4:pids:/\n1:name=systemd:/first\n0::/jobs/second\n",
        "2:freezer:/jobs/second\n1:name=systemd:/jobs\n0::/first/a/b/c\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct model *model = hundred();
        cr_expect_eq(reserve(model, "first", 8 * MIB, "/first\n"), 0);
        cr_expect_eq(reserve(model, "second", 4 * MIB, "/jobs/second\n"), 0);
        open_with(model, 0, texts[i]);
        expect_class(model, 0, "second", CLASS_RULE_RESERVATION);
        granted(model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 0));
        expect_used(model, 0, 3 * MIB);
        refused(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
        model_restart(model);
        expect_class(model, 0, "second", CLASS_RULE_RESERVATION);
        expect_used(model, 0, 3 * MIB);
        model_free(model);
    }
}

Test(hierarchies, of_paths_with_as_many_names_the_older_reservation_has_the_process)
{
    static const char *const texts[] = {"2:cpu:/a\n1:memory:/b\n", "2:cpu:/b\n1:memory:/a\n", "1:name=x:/a\n0::/b/c\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct model *model = hundred();
        cr_expect_eq(reserve(model, "first", 8 * MIB, "/a\n"), 0);
        cr_expect_eq(reserve(model, "second", 4 * MIB, "/b\n"), 0);
        open_with(model, 0, texts[i]);
        expect_class(model, 0, "first", CLASS_RULE_RESERVATION);
        model_restart(model);
        granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
        expect_used(model, MIB, 0);
        model_free(model);
    }
}

/* A second group in another hierarchy is no way to memory for what outlives its job. */
Test(hierarchies, a_survivor_gets_nothing_of_the_other_reservation)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "first", 8 * MIB, "/a\n"), 0);
    cr_expect_eq(reserve(model, "second", 4 * MIB, "/jobs/b\n"), 0);
    open_with(model, 0, "2:cpu:/a\n1:memory:/jobs/b\n");
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect_eq(unreserve(model, "second"), 0);
    expect_used(model, 0, 0);
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    open_with(model, 1, "2:cpu:/a\n1:memory:/jobs/b/child\n");
    refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    empty(model, "second");
    expect_class(model, 0, "first", CLASS_RULE_RESERVATION);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    model_free(model);
}

/* Its lease goes along, whole: it is charged to one of the two at any time. */
Test(hierarchies, a_closer_group_that_is_attached_takes_the_process_over)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "first", 8 * MIB, "/a\n"), 0);
    cr_expect_eq(reserve(model, "second", 4 * MIB, ""), 0);
    open_with(model, 0, "2:cpu:/a\n1:memory:/jobs/b\n");
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    expect_used(model, MIB, 0);
    cr_expect_eq(attach(model, "second", "/jobs/b\n"), 0);
    expect_used(model, 0, MIB);
    cr_expect_eq(attach(model, "first", "/jobs/b\n"), ERROR_BUSY);
    cr_expect_eq(unreserve(model, "first"), 0);
    expect_used(model, 0, MIB);
    cr_expect_eq(model_status(model).leases, 1);
    model_free(model);
}

/* The closest path of all does not count if the reservation is another user's. */
Test(hierarchies, another_users_reservation_has_no_part_in_it)
{
    struct model *model = hundred();
    struct request others = to_reserve("second", 4 * MIB, "/jobs/b\n");
    others.reserve.terms.has_uid = true;
    others.reserve.terms.uid = 5;
    cr_expect_eq(reserve(model, "first", 8 * MIB, "/a\n"), 0);
    cr_expect_eq(ask(model, others), 0);
    open_with(model, 0, "2:cpu:/jobs/b\n1:memory:/a\n");
    open_with(model, 1, "2:cpu:/jobs/b\n1:memory:/\n");
    expect_class(model, 0, "first", CLASS_RULE_RESERVATION);
    expect_class(model, 1, "default", CLASS_RULE_DEFAULT);
    model_free(model);
}

Test(hierarchies, no_text_that_looks_like_a_path_is_one)
{
    static const char *const texts[] = {
        "1:name=/a:/\n", "1:name=x:/b:/a\n", "0::/b\\012/a\n", "0::/a (deleted)\n",
        "0::/../a\n",    "0::/b/a\n",        "0::/ab\n",       "0:/a\n",
    };
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "first", 8 * MIB, "/a\n"), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        open_with(model, (int)i, texts[i]);
        expect_class(model, (int)i, "default", CLASS_RULE_DEFAULT);
    }
    model_free(model);
}
