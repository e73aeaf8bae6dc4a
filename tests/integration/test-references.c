/* SPDX-License-Identifier: Apache-2.0 */
/* What a reference says, against what its memory is: in rings, outside arenas, after the end of threads. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(references, .timeout = 60);

static mb_workspace_config ring_config(double limit)
{
    mb_workspace_config config = default_config();
    config.reset_policy = MB_RESET_ENDOFBUFFER_REACHED;
    config.overallocation_limit = limit;
    return config;
}

/* A ring without blocks: each cycle takes what it needs. */
static mb_workspace_config plain_ring(uint64_t bytes)
{
    mb_workspace_config config = ring_config(0);
    config.allocation_policy = MB_ALLOCATION_STRICT;
    config.learning_policy = MB_LEARNING_NONE;
    config.initial_size = bytes;
    return config;
}

static mb_ref ref_of(mb_workspace *workspace, size_t bytes)
{
    return mb_workspace_ref(workspace, ALLOC(workspace, bytes), bytes);
}

/* Its verdict, and what goes with it: a good one has its bytes, and a bad one can't be copied. */
static mb_ref_validity verdict(const mb_ref *ref)
{
    mb_buffer *copy = NULL;
    mb_ref to;
    mb_ref_validity validity = mb_ref_state(ref);
    cr_expect_eq(mb_ref_check(ref) == 0, validity == MB_REF_VALID);
    cr_expect_eq(mb_buffer_detach(ref, &copy) == 0, validity == MB_REF_VALID);
    if (validity == MB_REF_VALID) {
        cr_assert_eq(memcmp(mb_buffer_data(copy), ref->data, ref->bytes), 0);
        cr_assert(ref->bytes == 0 || ((char *)ref->data)[ref->bytes - 1] == 0x5a);
        (void)mb_buffer_unref(copy);
    } else {
        cr_expect_eq(mb_buffer_migrate(ref, &to), -ESTALE);
        cr_expect_eq(mb_buffer_leverage(ref, &to), -ESTALE);
        cr_expect_eq(mb_buffer_leverage_or_detach(ref, "nobody", &to), -ESTALE);
    }
    return validity;
}

/* ---- borrowing ---- */

Test(references, a_closed_workspace_can_not_be_borrowed_and_its_references_stay_dead)
{
    begin("");
    mb_workspace *workspace = open_named(client, "closed", default_config());
    cr_expect_eq(mb_workspace_borrow(workspace), -EINVAL, "it was never open");
    ENTER(workspace);
    mb_ref spilled = ref_of(workspace, 1000);
    cr_expect_eq(verdict(&spilled), MB_REF_VALID);
    LEAVE(workspace);
    cr_expect_eq(mb_workspace_borrow(workspace), -EINVAL);
    EXPECT_SENTENCE("no scope of workspace \"closed\" is open, so that it can't be borrowed");
    cr_expect_null(mb_workspace_current());
    cr_expect_eq(verdict(&spilled), MB_REF_LEAKED);
    cr_expect_null(mb_workspace_alloc(workspace, 1));
    end();
}

Test(references, memory_of_a_borrowed_workspace_lives_as_long_as_its_scope)
{
    begin("");
    mb_workspace *outer = open_named(client, "outer", default_config());
    mb_workspace *inner = open_named(client, "inner", default_config());
    ENTER(outer);
    ENTER(inner);
    cr_assert_eq(mb_workspace_borrow(outer), 0);
    mb_ref ref = ref_of(outer, 1000), same, to;
    cr_assert_eq(mb_buffer_leverage(&ref, &to), 0);
    cr_expect(!to.buffer && to.origin != ref.origin, "the scope around a borrowing is the borrower's");
    cr_assert_eq(mb_buffer_migrate(&ref, &same), 0);
    cr_expect_eq(same.data, ref.data, "it is in the current one");
    LEAVE(outer);
    LEAVE(inner);
    cr_expect_eq(verdict(&to), MB_REF_LEAKED);
    cr_expect_eq(verdict(&ref), MB_REF_VALID);
    LEAVE(outer);
    cr_expect_eq(verdict(&ref), MB_REF_LEAKED);
    end();
}

/* ---- rings ---- */

static void expect_aligned_and_within(mb_workspace *ring)
{
    cycle_of(ring, 1552);
    cr_expect_eq(stats_of(ring).initial_block_size, 2024, "a block ends between two alignments");
    for (int cycle = 0; cycle < 12; cycle++) {
        ENTER(ring);
        cr_expect_leq(mb_workspace_offset(ring), mb_workspace_size(ring));
        cr_expect_eq(mb_workspace_borrow(ring), 0);
        for (size_t bytes = 0; bytes < 4; bytes++) {
            cr_expect_eq((uintptr_t)mb_workspace_alloc(ring, bytes * 300 % 500) % 16, 0, "cycle %d", cycle);
            cr_expect_leq(mb_workspace_offset(ring), mb_workspace_size(ring));
        }
        LEAVE(ring);
        LEAVE(ring);
        cr_expect_leq(mb_workspace_offset(ring), mb_workspace_size(ring));
    }
}

Test(references, every_address_of_a_ring_is_aligned_and_its_offset_is_within_its_size)
{
    begin("");
    mb_workspace_config strict = ring_config(0);
    strict.allocation_policy = MB_ALLOCATION_STRICT;
    expect_aligned_and_within(open_named(client, "two blocks", ring_config(1.0)));
    expect_aligned_and_within(open_named(client, "one block", strict));
    end();
}

Test(references, pinned_memory_is_valid_until_it_is_released)
{
    begin("");
    mb_workspace *ring = open_named(client, "ring", ring_config(1.0));
    cycle_of(ring, 1000);
    ENTER(ring);
    (void)ALLOC(ring, 1000);
    mb_ref pinned = ref_of(ring, 1000);
    cr_expect_eq(stats_of(ring).pinned_count, 1);
    LEAVE(ring);
    for (int cycle = 0; stats_of(ring).pinned_count > 0; cycle++) {
        cr_assert_lt(cycle, 10);
        cr_expect_eq(verdict(&pinned), MB_REF_VALID, "cycle %d", cycle);
        cycle_of(ring, 1000);
    }
    cr_expect_eq(verdict(&pinned), MB_REF_OUTDATED);
    (void)mb_ref_check(&pinned);
    EXPECT_SENTENCE("has given this back");
    end();
}

Test(references, a_rings_spills_are_valid_until_the_end_of_the_cycle_that_turns)
{
    begin("");
    mb_workspace *ring = open_named(client, "ring", plain_ring(4096));
    ENTER(ring);
    mb_ref spilled = ref_of(ring, 8000);
    mb_workspace_toggle(ring, 0);
    mb_ref toggled = ref_of(ring, 100);
    LEAVE(ring);
    cr_expect_eq(verdict(&toggled), MB_REF_VALID, "what was toggled off is a spill");
    cycle_of(ring, 3000);
    cr_expect_eq(verdict(&spilled), MB_REF_VALID);
    ENTER(ring);
    (void)ALLOC(ring, 3000);
    mb_ref own = ref_of(ring, 8000);
    cr_expect(verdict(&spilled) == MB_REF_VALID && verdict(&own) == MB_REF_VALID, "turned, but not left");
    LEAVE(ring);
    cr_expect(verdict(&spilled) == MB_REF_OUTDATED && verdict(&toggled) == MB_REF_OUTDATED);
    cr_expect_eq(verdict(&own), MB_REF_LEAKED, "the cycle that turned gives its own spills back too");
    (void)mb_ref_check(&own);
    EXPECT_SENTENCE("given back when the cycle ended");
    end();
}

Test(references, without_a_turn_a_rings_spills_are_valid_for_two_steps)
{
    begin("");
    mb_workspace *ring = open_named(client, "ring", plain_ring(4096));
    ENTER(ring);
    mb_ref spilled = ref_of(ring, 8000);
    LEAVE(ring);
    for (uint64_t last = 0; stats_of(ring).steps < 3;) {
        cr_expect_eq(verdict(&spilled), MB_REF_VALID, "step %llu", (unsigned long long)last);
        last = stats_of(ring).steps;
        ENTER(ring);
        LEAVE(ring);
    }
    cr_expect_eq(verdict(&spilled), MB_REF_OUTDATED);
    end();
}

Test(references, in_a_ring_of_one_block_memory_is_valid_until_the_next_cycle_overwrites_it)
{
    begin("");
    mb_workspace_config config = ring_config(0);
    config.allocation_policy = MB_ALLOCATION_STRICT;
    mb_workspace *ring = open_named(client, "ring", config);
    cycle_of(ring, 1392);
    cr_expect_eq(mb_workspace_size(ring), 1816);
    for (int cycle = 0; cycle < 5; cycle++) {
        ENTER(ring);
        mb_ref first = ref_of(ring, 1104);
        (void)ALLOC(ring, 1216); /* pinned: the block's end is not where the next cycle begins */
        cr_expect_eq(verdict(&first), MB_REF_VALID);
        LEAVE(ring);
        cr_expect_eq(verdict(&first), MB_REF_VALID);
        uint64_t spilled = stats_of(ring).total_spilled_count;
        ENTER(ring);
        first = ref_of(ring, 192);
        (void)ALLOC(ring, 1552);
        cr_expect_eq(stats_of(ring).total_spilled_count, spilled, "a block holds a block");
        LEAVE(ring);
        cr_expect_eq(verdict(&first), MB_REF_VALID);
    }
    end();
}

/* ---- made of what is not there ---- */

Test(references, a_reference_to_memory_the_workspace_did_not_allocate_is_never_valid)
{
    begin("");
    mb_workspace_config config = default_config();
    char other[16];
    config.initial_size = MIB;
    mb_workspace *workspace = open_named(client, "owner", config);
    ENTER(workspace);
    char *inside = ALLOC(workspace, 1000), *spilled = ALLOC(workspace, 2 * MIB);
    LEAVE(workspace);
    ENTER(workspace);
    mb_ref refs[] = {mb_workspace_ref(workspace, other, sizeof other), mb_workspace_ref(workspace, inside, 1000),
                     mb_workspace_ref(workspace, spilled, 1000)};
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        cr_expect_eq(verdict(&refs[i]), MB_REF_LEAKED);
    }
    (void)mb_ref_check(&refs[0]);
    EXPECT_SENTENCE("not made from memory that workspace \"owner\" had handed out");
    LEAVE(workspace);
    end();
}

Test(references, a_spill_whose_lease_has_ended_is_lost)
{
    fixture_start(&fixture, "");
    client = fixture_connect(&fixture, MB_CLIENT_GUARD);
    mb_workspace *workspace = open_named(client, "spiller", default_config());
    ENTER(workspace);
    mb_ref ref = ref_of(workspace, 1000);
    for (uint64_t id = 1; id < 100 && fixture_revoke(&fixture, id) != ERROR_UNSPECIFIED; id++) {
    }
    WAIT_UNTIL(mb_ref_state(&ref) == MB_REF_LOST);
    cr_expect_eq(verdict(&ref), MB_REF_LOST);
    LEAVE(workspace);
    end();
}

/* ---- sizing under an open scope ---- */

Test(references, initialize_does_not_take_the_arena_from_an_open_scope)
{
    begin("");
    mb_workspace_config config = default_config();
    config.learning_policy = MB_LEARNING_OVER_TIME;
    mb_workspace *workspace = open_named(client, "known", config);
    cycle_of(workspace, 1000);
    cr_expect_eq(mb_workspace_initialize(workspace), 0);
    mb_workspace_close(workspace);
    WAIT_UNTIL(used() == 0);
    workspace = open_named(client, "known", config);
    cr_expect_eq(mb_workspace_size(workspace), 4096, "1310 bytes are remembered as a page");
    cycle_of(workspace, 10000); /* more than is remembered: the workspace must learn again */
    ENTER(workspace);
    mb_ref ref = ref_of(workspace, 3000);
    cr_expect_eq(mb_workspace_initialize(workspace), 0);
    cr_expect_eq(verdict(&ref), MB_REF_VALID);
    LEAVE(workspace);
    cr_expect_eq(mb_workspace_initialize(workspace), 0);
    cr_expect_eq(mb_workspace_size(workspace), 13000, "10000 + 30 %%");
    end();
}

/* ---- the debug mode that bypasses workspaces ---- */

Test(references, bypassed_memory_is_valid_until_the_workspace_is_closed)
{
    begin("");
    mb_set_debug_mode(MB_DEBUG_BYPASS_EVERYTHING);
    mb_workspace *workspace = open_named(client, "bypassed", default_config());
    ENTER(workspace);
    char *aligned = written(mb_workspace_alloc_aligned(workspace, 100, 4096, 0), 100);
    mb_ref refs[] = {ref_of(workspace, 1000), mb_workspace_ref(workspace, aligned, 100), ref_of(workspace, MIB)};
    mb_workspace_toggle(workspace, 0);
    LEAVE(workspace);
    ENTER(workspace);
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        cr_expect_eq(verdict(&refs[i]), MB_REF_VALID);
    }
    LEAVE(workspace);
    cr_expect_eq(verdict(&refs[0]), MB_REF_VALID);
    mb_workspace_close(workspace);
    cr_expect_eq(verdict(&refs[0]), MB_REF_LEAKED);
    EXPECT_SENTENCE("which was closed");
    end();
}

Test(references, entering_while_workspaces_are_bypassed_does_not_revive_references)
{
    begin("");
    mb_workspace *workspace = open_named(client, "revived", default_config());
    cycle_of(workspace, 1000);
    ENTER(workspace);
    mb_ref inside = ref_of(workspace, 1000), spilled = ref_of(workspace, 100000);
    LEAVE(workspace);
    mb_set_debug_mode(MB_DEBUG_BYPASS_EVERYTHING);
    ENTER(workspace);
    cr_expect(verdict(&inside) == MB_REF_OUTDATED && verdict(&spilled) == MB_REF_OUTDATED);
    mb_workspace_toggle(workspace, 0);
    LEAVE(workspace);
    mb_set_debug_mode(MB_DEBUG_DISABLED);
    ENTER(workspace);
    (void)ALLOC(workspace, 100);
    cr_expect_eq(stats_of(workspace).spilled_count, 0, "the end of a bypassed cycle switches it on again too");
    LEAVE(workspace);
    end();
}

/* ---- records that serve again; forked children ---- */

Test(references, a_reused_record_says_nothing_about_the_new_workspace)
{
    begin("");
    mb_workspace_config config = default_config();
    config.learning_policy = MB_LEARNING_NONE; /* it always spills */
    for (int i = 0; i < 400; i++) {            /* closed ones rest for a while before they serve again */
        mb_workspace *workspace = open_named(client, "spiller", config);
        ENTER(workspace);
        mb_ref ref = ref_of(workspace, 1000);
        cr_assert_eq(mb_ref_state(&ref), MB_REF_VALID, "workspace %d", i);
        LEAVE(workspace);
        mb_workspace_close(workspace);
        cr_assert_eq(mb_ref_state(&ref), MB_REF_LEAKED);
    }
    end();
}

static mb_ref before_the_fork[3];

static int in_child(const struct fixture *unused)
{
    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        mb_ref to;
        if (mb_ref_state(&before_the_fork[i]) != MB_REF_LEAKED || mb_ref_check(&before_the_fork[i]) != -ESTALE ||
            !strstr(mb_last_error(), "forked") || mb_buffer_migrate(&before_the_fork[i], &to) != -ESTALE) {
            return 1;
        }
    }
    return mb_alloc(100) || errno != EPERM ? 2 : 0;
}

Test(references, a_forked_child_cannot_use_its_parents_memory)
{
    begin("");
    int status;
    mb_buffer *buffer;
    mb_workspace_config config = default_config();
    config.initial_size = MIB;
    mb_workspace *workspace = open_named(client, "parents", config);
    ENTER(workspace);
    cr_assert_eq(mb_buffer_create(client, 100, NULL, &buffer), 0);
    before_the_fork[0] = ref_of(workspace, 1000);
    before_the_fork[1] = ref_of(workspace, 2 * MIB);
    before_the_fork[2] = mb_buffer_as_ref(buffer);
    pid_t child = fixture_fork(in_child, &fixture);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
    cr_expect(verdict(&before_the_fork[0]) == MB_REF_VALID && verdict(&before_the_fork[1]) == MB_REF_VALID);
    cr_expect_eq(mb_ref_check(&before_the_fork[2]), 0);
    (void)mb_buffer_unref(buffer);
    LEAVE(workspace);
    end();
}

/* ---- the end of threads, and of all workspaces ---- */

static mb_ref theirs;

static void *allocate_and_end(void *argument)
{
    mb_workspace_config config = default_config();
    (void)argument;
    config.initial_size = MIB;
    mb_workspace *workspace = open_named(client, "theirs", config);
    ENTER(workspace);
    theirs = ref_of(workspace, 1000);
    return NULL;
}

static void run_thread(void)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, allocate_and_end, NULL), 0);
    (void)pthread_join(thread, NULL);
}

Test(references, a_workspaces_memory_ends_with_its_thread)
{
    begin("");
    run_thread();
    cr_expect_eq(verdict(&theirs), MB_REF_LEAKED);
    (void)mb_ref_check(&theirs);
    EXPECT_SENTENCE("which was closed, by its thread's end");
    end();
}

static unsigned touch_flags;

static int touch(const struct fixture *with)
{
    (void)signal(SIGSEGV, SIG_DFL); /* not the test's, nor a sanitizer's */
    fixture = *with;
    client = fixture_connect(with, touch_flags);
    run_thread();
    return *(volatile char *)theirs.data;
}

Test(references, memory_of_an_ended_thread_is_unmapped_and_not_guarded)
{
    int status;
    fixture_start(&fixture, "");
    for (touch_flags = 0; touch_flags <= MB_CLIENT_GUARD; touch_flags += MB_CLIENT_GUARD) {
        pid_t child = fixture_fork(touch, &fixture);
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x", status);
    }
    WAIT_UNTIL(used() == 0);
    fixture_stop(&fixture);
}

Test(references, closing_all_workspaces_ends_scope_outs_too)
{
    begin("");
    mb_workspace *workspace = open_named(client, "outer", default_config());
    ENTER(workspace);
    MB_SCOPED_OUT(cr_assert_fail("%s", mb_last_error())) {
        cr_assert_eq(mb_scope_out(), 0);
        mb_workspace_close_all();
        cr_expect_eq(mb_scope_in(), -EINVAL);
        EXPECT_SENTENCE("has not scoped out");
    }
    workspace = open_named(client, "outer", default_config());
    ENTER(workspace);
    cr_expect_eq(mb_workspace_current(), workspace);
    LEAVE(workspace);
    cr_expect_eq(mb_scope_in(), -EINVAL);
    end();
}
