/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: nesting, borrowing, scoping out, references, copies between workspaces. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/integration/workspaces.h"

TestSuite(scopes, .timeout = 60);

static mb_workspace *outer, *inner;

static mb_workspace_config sized(uint64_t bytes)
{
    mb_workspace_config config = default_config();
    config.initial_size = bytes;
    return config;
}

static void begin_nested(void)
{
    begin("");
    outer = open_named(client, "outer", sized(MIB));
    inner = open_named(client, "inner", sized(MIB));
}

/* ---- entering and leaving ---- */

Test(scopes, entering_the_current_workspace_counts_and_another_one_nests)
{
    begin_nested();
    cr_expect_null(mb_workspace_current());
    ENTER(outer);
    char *first = ALLOC(outer, 100);
    ENTER(outer);
    cr_expect_eq(stats_of(outer).generation, 1, "entering again is no new generation");
    cr_expect_eq(ALLOC(outer, 100) - first, 112, "and no reset");
    ENTER(inner);
    cr_expect_eq(mb_workspace_current(), inner);
    cr_expect_eq(mb_workspace_enter(outer), -EBUSY);
    EXPECT_SENTENCE("\"outer\" is open further out");
    cr_expect_eq(mb_workspace_leave(outer), -EINVAL);
    EXPECT_SENTENCE("can't be left before \"inner\"");
    LEAVE(inner);
    cr_expect_eq(mb_workspace_current(), outer);
    LEAVE(outer);
    cr_expect_eq(mb_workspace_current(), outer, "it was entered twice");
    LEAVE(outer);
    cr_expect_null(mb_workspace_current());
    cr_expect_eq(mb_workspace_leave(outer), -EINVAL);
    EXPECT_SENTENCE("no scope of workspace \"outer\" is open");
    cr_expect_eq(stats_of(outer).cycles, 1);
    ENTER(outer);
    cr_expect_eq(stats_of(outer).generation, 2);
    LEAVE(outer);
    end();
}

Test(scopes, mb_alloc_uses_the_current_workspace)
{
    begin_nested();
    cr_expect_null(mb_alloc(100));
    cr_expect_eq(errno, EINVAL);
    EXPECT_SENTENCE("no workspace is current");
    ENTER(outer);
    cr_expect_not_null(mb_alloc(100));
    ENTER(inner);
    cr_expect_not_null(mb_alloc(200));
    cr_expect_not_null(mb_alloc(200));
    LEAVE(inner);
    cr_expect_not_null(mb_alloc(100));
    cr_expect_eq(mb_workspace_offset(outer), 224);
    LEAVE(outer);
    cr_expect_eq(stats_of(inner).last_cycle_bytes, 416);
    end();
}

Test(scopes, borrowing_makes_current_without_a_new_cycle)
{
    begin_nested();
    ENTER(outer);
    char *first = ALLOC(outer, 100);
    ENTER(inner);
    cr_assert(mb_workspace_borrow(outer) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_workspace_current(), outer);
    cr_expect_eq(stats_of(outer).generation, 1);
    cr_expect_eq((char *)mb_alloc(100) - first, 112);
    cr_expect_eq(mb_workspace_borrow(outer), -EBUSY);
    EXPECT_SENTENCE("borrowed already");
    ENTER(outer);
    LEAVE(outer);
    cr_expect_eq(mb_workspace_current(), outer, "entered while borrowed: that only counted");
    LEAVE(outer);
    cr_expect_eq(mb_workspace_current(), inner);
    cr_expect_eq(stats_of(outer).cycles, 0, "the end of the borrowing ends no cycle");
    LEAVE(inner);
    cr_expect_eq(mb_workspace_current(), outer);
    cr_expect_eq((char *)mb_alloc(16) - first, 224);
    LEAVE(outer);
    end();
}

Test(scopes, scoping_out_and_in_keeps_the_order)
{
    begin_nested();
    ENTER(outer);
    cr_assert(mb_scope_out() == 0);
    cr_expect_null(mb_workspace_current());
    cr_expect_null(mb_alloc(1));
    cr_expect_eq(mb_workspace_leave(outer), -EINVAL);
    EXPECT_SENTENCE("scoped out");
    ENTER(inner);
    cr_expect_eq(mb_workspace_current(), inner);
    cr_expect_eq(mb_scope_in(), -EINVAL);
    EXPECT_SENTENCE("\"inner\" is open inside");
    LEAVE(inner);
    cr_expect_null(mb_workspace_current(), "outer, none, inner, none, outer, none: as ND4J's testWorkspaceOrder");
    cr_assert(mb_scope_in() == 0);
    cr_expect_eq(mb_workspace_current(), outer);
    MB_SCOPED_OUT(cr_assert_fail("%s", mb_last_error())) {
        cr_expect_null(mb_workspace_current());
    }
    cr_expect_eq(mb_workspace_current(), outer);
    LEAVE(outer);
    cr_expect_eq(mb_scope_in(), -EINVAL);
    end();
}

/* ---- threads and names ---- */

static void *in_another_thread(void *argument)
{
    mb_workspace **theirs = argument;
    cr_expect_eq(mb_workspace_enter(outer), -EPERM);
    EXPECT_SENTENCE("belongs to another thread");
    cr_expect_null(mb_workspace_alloc_slow(outer, 1));
    cr_expect_not(mb_workspace_exists("outer"));
    *theirs = open_named(client, "outer", sized(4096));
    ENTER(*theirs);
    cr_expect_not_null(mb_alloc(100));
    return NULL; /* with its scope open: the thread's end closes it */
}

Test(scopes, the_same_name_in_another_thread_is_another_workspace)
{
    begin_nested();
    pthread_t thread;
    mb_workspace *theirs = NULL;
    ENTER(outer);
    (void)ALLOC(outer, 1000);
    cr_assert(pthread_create(&thread, NULL, in_another_thread, &theirs) == 0);
    (void)pthread_join(thread, NULL);
    cr_expect_neq(theirs, outer);
    cr_expect_eq(mb_workspace_offset(outer), 1008);
    cr_expect_eq(mb_workspace_current(), outer);
    LEAVE(outer);
    WAIT_UNTIL(fixture_status(&fixture).leases == 2);
    end();
}

Test(scopes, names_are_found_listed_and_kept_apart)
{
    begin_nested();
    mb_workspace *found, *list[8];
    mb_workspace_config config = sized(MIB), other = sized(2 * MIB);
    cr_expect(mb_workspace_exists("outer") && !mb_workspace_exists("nobody"));
    cr_expect_not(mb_workspace_exists_and_active("outer"));
    ENTER(outer);
    cr_expect(mb_workspace_exists_and_active("outer"));
    LEAVE(outer);
    cr_expect_eq(mb_workspace_open(client, "outer", &config, &found), -EEXIST);
    cr_assert(mb_workspace_get(client, "outer", &config, &found) == 0 && found == outer);
    cr_assert(mb_workspace_get(client, "outer", NULL, &found) == 0 && found == outer);
    cr_expect_eq(mb_workspace_get(client, "outer", &other, &found), -EEXIST);
    EXPECT_SENTENCE("another configuration");
    cr_assert(mb_workspace_get(client, "third", &other, &found) == 0);
    cr_expect_eq(mb_workspace_list(list, 2), 3);
    cr_expect(list[0] == outer && list[1] == inner);
    cr_expect_str_eq(mb_workspace_name(found), "third");
    mb_workspace_close(found);
    cr_expect_not(mb_workspace_exists("third"));
    ENTER(outer);
    ENTER(inner);
    mb_workspace_close(outer);
    cr_expect_eq(mb_workspace_current(), inner, "closing takes a workspace's scopes with it");
    LEAVE(inner);
    cr_expect_null(mb_workspace_current());
    mb_workspace_close_all();
    cr_expect_eq(mb_workspace_list(NULL, 0), 0);
    WAIT_UNTIL(fixture_status(&fixture).leases == 0);
    end();
}

Test(scopes, statistics_are_printed_as_a_table)
{
    begin_nested();
    char *text = NULL;
    size_t size = 0;
    ENTER(outer);
    (void)ALLOC(outer, 1000);
    (void)ALLOC(outer, 2 * MIB);
    LEAVE(outer);
    FILE *out = open_memstream(&text, &size);
    mb_workspace_print_stats(out);
    (void)fclose(out);
    cr_expect(strstr(text, "2 workspaces of this thread"), "%s", text);
    cr_expect(strstr(text, "outer") && strstr(text, "inner") && strstr(text, "1363148") && strstr(text, "2097152"),
              "%s", text);
    free(text);
    mb_workspace_close(inner);
    out = open_memstream(&text, &size);
    mb_workspace_print_stats(out);
    (void)fclose(out);
    cr_expect(strstr(text, "1 workspace of this thread"), "%s", text);
    free(text);
    end();
}

static int in_child(const struct fixture *unused)
{
    mb_workspace *other;
    (void)unused;
    mb_workspace_close(inner);
    return mb_workspace_enter(outer) == -EPERM && !mb_workspace_alloc_slow(outer, 1) &&
                   mb_workspace_open(client, "child", NULL, &other) == -EPERM
               ? 0
               : 1;
}

Test(scopes, a_forked_child_can_not_use_its_parents)
{
    begin_nested();
    int status;
    pid_t child = fixture_fork(in_child, &fixture);
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ENTER(outer);
    cr_expect_not_null(mb_alloc(100));
    LEAVE(outer);
    end();
}

/* ---- references ---- */

Test(scopes, references_report_the_state_of_their_memory)
{
    begin_nested();
    ENTER(outer);
    mb_ref ref = mb_workspace_ref(outer, ALLOC(outer, 100), 100);
    cr_expect(mb_ref_check(&ref) == 0 && mb_ref_state(&ref) == MB_REF_VALID);
    ENTER(inner);
    cr_expect_eq(mb_ref_check(&ref), 0, "the outer scope is open too");
    LEAVE(inner);
    LEAVE(outer);
    cr_expect_eq(mb_ref_state(&ref), MB_REF_LEAKED);
    cr_expect_eq(mb_ref_check(&ref), -ESTALE);
    EXPECT_SENTENCE("leaked: the memory is of workspace \"outer\", generation 1, whose scope has ended");
    ENTER(outer);
    cr_expect_eq(mb_ref_state(&ref), MB_REF_OUTDATED);
    cr_expect_eq(mb_ref_check(&ref), -ESTALE);
    EXPECT_SENTENCE("outdated: the memory is of workspace \"outer\", generation 1, and the present generation is 2");
    LEAVE(outer);
    mb_workspace_close(outer);
    cr_expect_eq(mb_ref_check(&ref), -ESTALE);
    EXPECT_SENTENCE("leaked: the memory is of workspace \"outer\"");
    EXPECT_SENTENCE("which was closed");
    mb_workspace *again = open_named(client, "outer", sized(MIB));
    ENTER(again);
    cr_expect_eq(mb_ref_state(&ref), MB_REF_LEAKED, "a new workspace of that name is another");
    LEAVE(again);
    mb_ref nothing = {0};
    cr_expect_eq(mb_ref_check(&nothing), -ESTALE);
    end();
}

Test(scopes, a_reference_into_a_circular_workspace_is_valid_until_overwritten)
{
    begin_nested();
    mb_workspace_config config = default_config();
    config.reset_policy = MB_RESET_ENDOFBUFFER_REACHED;
    config.overallocation_limit = 2.0;
    mb_workspace *ring = open_named(client, "ring", config);
    cycle_of(ring, 1000);
    mb_ref refs[10];
    for (int cycle = 0; cycle < 10; cycle++) {
        ENTER(ring);
        refs[cycle] = mb_workspace_ref(ring, ALLOC(ring, 1000), 1000);
        for (int i = 0; i <= cycle; i++) {
            bool kept = cycle - i < 3;
            cr_expect_eq(mb_ref_state(&refs[i]), kept ? MB_REF_VALID : MB_REF_OUTDATED, "cycle %d, of %d", cycle, i);
        }
        LEAVE(ring);
    }
    cr_expect_eq(mb_ref_check(&refs[0]), -ESTALE);
    EXPECT_SENTENCE("overwritten");
    end();
}

Test(scopes, a_reference_notices_that_its_lease_was_lost)
{
    begin_nested();
    ENTER(outer);
    mb_ref ref = mb_workspace_ref(outer, ALLOC(outer, 100), 100);
    cr_assert(fixture_revoke(&fixture, mb_lease_id(mb_workspace_lease(outer))) == ERROR_UNSPECIFIED);
    WAIT_UNTIL(mb_ref_state(&ref) == MB_REF_LOST);
    cr_expect_eq(mb_ref_check(&ref), -ESTALE);
    LEAVE(outer);
    end();
}

/* ---- copies ---- */

static mb_ref pattern_in(mb_workspace *workspace, int value)
{
    char *data = ALLOC(workspace, 1000);
    memset(data, value, 1000);
    return mb_workspace_ref(workspace, data, 1000);
}

static bool has_pattern(const mb_ref *ref, int value)
{
    const char *data = ref->data;
    return ref->bytes == 1000 && data[0] == value && data[999] == value;
}

Test(scopes, leverage_copies_to_the_parent)
{
    begin_nested();
    mb_ref up, same;
    ENTER(outer);
    ENTER(inner);
    mb_ref ref = pattern_in(inner, 1);
    cr_assert(mb_buffer_leverage(&ref, &up) == 0, "%s", mb_last_error());
    cr_expect(up.data != ref.data && has_pattern(&up, 1) && !up.buffer);
    cr_expect_eq(mb_workspace_offset(outer), 1008);
    LEAVE(inner);
    cr_expect_eq(mb_ref_check(&ref), -ESTALE);
    cr_expect_eq(mb_ref_check(&up), 0);
    cr_assert(mb_buffer_leverage(&up, &same) == 0);
    cr_expect(same.buffer && has_pattern(&same, 1), "no parent: a buffer");
    cr_expect_eq(mb_buffer_leverage(&ref, &same), -ESTALE, "what is not valid is not copied");
    LEAVE(outer);
    cr_expect(has_pattern(&same, 1));
    (void)mb_buffer_unref(same.buffer);
    end();
}

Test(scopes, leverage_to_copies_to_a_named_workspace)
{
    begin_nested();
    mb_ref to;
    ENTER(outer);
    ENTER(inner);
    mb_ref ref = pattern_in(inner, 2);
    cr_assert(mb_buffer_leverage_to(&ref, "outer", &to) == 0);
    cr_expect(has_pattern(&to, 2) && mb_workspace_offset(outer) == 1008);
    cr_assert(mb_buffer_leverage_to(&ref, "inner", &to) == 0);
    cr_expect_eq(to.data, ref.data, "there already");
    cr_expect_eq(mb_buffer_leverage_to(&ref, "nobody", &to), -ENOENT);
    EXPECT_SENTENCE("\"nobody\"");
    mb_workspace *closed = open_named(client, "closed", sized(MIB));
    cr_expect_eq(mb_buffer_leverage_to(&ref, "closed", &to), -EINVAL);
    cr_assert(mb_buffer_leverage_or_detach(&ref, "closed", &to) == 0);
    cr_expect(to.buffer && has_pattern(&to, 2));
    (void)mb_buffer_unref(to.buffer);
    cr_assert(mb_buffer_leverage_or_detach(&ref, "outer", &to) == 0 && !to.buffer);
    mb_workspace_close(closed);
    LEAVE(inner);
    LEAVE(outer);
    end();
}

Test(scopes, detach_and_migrate)
{
    begin_nested();
    mb_buffer *detached, *same;
    mb_ref to, back;
    ENTER(outer);
    mb_ref ref = pattern_in(outer, 3);
    cr_assert(mb_buffer_detach(&ref, &detached) == 0);
    cr_assert(mb_buffer_migrate(&ref, &to) == 0);
    cr_expect_eq(to.data, ref.data, "it is in the current workspace already");
    LEAVE(outer);
    ref = mb_buffer_as_ref(detached);
    cr_expect(has_pattern(&ref, 3) && mb_ref_check(&ref) == 0);
    cr_assert(mb_buffer_detach(&ref, &same) == 0 && same == detached && mb_buffer_references(same) == 2);
    (void)mb_buffer_unref(same);
    cr_assert(mb_buffer_migrate(&ref, &to) == 0 && to.buffer == detached, "no workspace is current");
    ENTER(inner);
    cr_assert(mb_buffer_migrate(&ref, &to) == 0);
    cr_expect(!to.buffer && has_pattern(&to, 3) && mb_workspace_offset(inner) == 1008);
    ENTER(outer);
    cr_assert(mb_buffer_migrate(&to, &back) == 0);
    cr_expect(has_pattern(&back, 3) && back.data != to.data);
    cr_assert(mb_buffer_leverage(&ref, &back) == 0 && back.buffer == detached, "a buffer is levered to itself");
    LEAVE(outer);
    LEAVE(inner);
    (void)mb_buffer_unref(detached);
    end();
}
