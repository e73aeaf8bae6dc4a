/* SPDX-License-Identifier: Apache-2.0 */
/* MB_WORKSPACE: every way out of its block, and what runs if the block can't be entered. */
#include "tests/integration/workspaces.h"

TestSuite(blocks, .timeout = 60);

static mb_workspace *outer, *inner;

static void begin_nested(void)
{
    mb_workspace_config config = default_config();
    config.initial_size = MIB;
    begin("");
    outer = open_named(client, "outer", config);
    inner = open_named(client, "inner", config);
}

static int leave_by_return(void)
{
    MB_WORKSPACE(outer, return -errno) {
        if (mb_alloc(10)) {
            return 7;
        }
    }
    return 0;
}

static void leave_by_goto(void)
{
    MB_WORKSPACE(outer, goto out) {
        MB_WORKSPACE(inner, goto out) {
            goto out;
        }
    }
out:
    cr_expect_null(mb_workspace_current());
}

Test(blocks, the_macro_leaves_however_the_block_ends)
{
    begin_nested();
    int runs = 0;
    MB_WORKSPACE(outer, runs = 100) {
        cr_expect_eq(mb_workspace_current(), outer);
        runs++;
    }
    cr_expect_eq(runs, 1);
    cr_expect_null(mb_workspace_current());
    MB_WORKSPACE(outer, runs = 100) {
        if (runs == 1) {
            break;
        }
        runs++;
    }
    cr_expect_null(mb_workspace_current());
    cr_expect_eq(leave_by_return(), 7);
    cr_expect_null(mb_workspace_current());
    leave_by_goto();
    cr_expect_eq(stats_of(outer).cycles, 4);
    end();
}

static int refused_by_return(void)
{
    MB_WORKSPACE(outer, return -errno) {
        return 7;
    }
    return 0;
}

static int refused_by_goto(void)
{
    MB_WORKSPACE(outer, goto refused) {
        return 7;
    }
    return 0;
refused:
    return 1;
}

/* Beside an if without braces, whose else is its own. */
static int refused_beside_an_else(bool wanted)
{
    int result = 0;
    if (wanted) {
        MB_WORKSPACE(outer, result = 1)
            result = 7;
    } else
        result = 2;
    return result;
}

/* break and continue behind the comma are the loop's. */
Test(blocks, the_macros_statement_runs_if_the_block_cannot_be_entered)
{
    int tries = 0, rounds = 0, evaluated = 0;
    begin_nested();
    ENTER(outer);
    ENTER(inner);
    cr_expect_eq(refused_by_return(), -EBUSY);
    EXPECT_SENTENCE("further out");
    cr_expect_eq(refused_by_goto(), 1);
    cr_expect_eq(refused_beside_an_else(true), 1);
    cr_expect_eq(refused_beside_an_else(false), 2);
    for (;; tries++) {
        MB_WORKSPACE((evaluated++, outer), break) {
            cr_expect_fail("the block is not run");
        }
    }
    cr_expect_eq(tries, 0);
    cr_expect_eq(evaluated, 1);
    while (rounds < 3) {
        rounds++;
        MB_WORKSPACE(outer, continue) {
            cr_expect_fail("the block is not run");
        }
        cr_expect_fail("continue is the loop's");
    }
    cr_expect_eq(mb_workspace_current(), inner);
    LEAVE(inner);
    LEAVE(outer);
    end();
}

Test(blocks, a_block_may_close_its_own_workspace)
{
    begin_nested();
    MB_WORKSPACE(outer, cr_assert_fail("%s", mb_last_error())) {
        MB_WORKSPACE(inner, cr_assert_fail("%s", mb_last_error())) {
            mb_workspace_close(inner);
        }
        cr_expect_eq(mb_workspace_current(), outer);
    }
    cr_expect_null(mb_workspace_current());
    end();
}
