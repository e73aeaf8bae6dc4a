/* SPDX-License-Identifier: Apache-2.0 */
/* mb_last_error() is of the newest call: what succeeds empties it, what cleans up leaves it. */
#include "tests/integration/workspaces.h"

TestSuite(last_error, .timeout = 60);

#define LIMITS "[limits]\nmax_physical_bytes = 4M\nmax_bytes = 4M\n"

/* An error whose sentence is known. */
static void fail_once(void)
{
    mb_lease *lease;
    cr_assert_eq(mb_acquire(client, 64 * MIB, NULL, &lease), -ENOMEM);
    cr_assert(strstr(mb_last_error(), "64 MiB"), "%s", mb_last_error());
}

#define EMPTIES(call)                                                                                                  \
    do {                                                                                                               \
        fail_once();                                                                                                   \
        cr_assert((call) >= 0, "%s: %s", #call, mb_last_error());                                                      \
        cr_expect_str_empty(mb_last_error(), "%s", #call);                                                             \
    } while (0)

#define LEAVES(call)                                                                                                   \
    do {                                                                                                               \
        fail_once();                                                                                                   \
        cr_assert((call) >= 0, "%s", #call);                                                                           \
        cr_expect(strstr(mb_last_error(), "64 MiB"), "%s: %s", #call, mb_last_error());                                \
    } while (0)

Test(last_error, the_last_error_is_empty_before_the_first_failure)
{
    cr_expect_str_empty(mb_last_error());
}

Test(last_error, a_successful_lease_call_clears_the_last_error)
{
    mb_client *other;
    mb_lease *lease;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    void *address;
    begin(LIMITS);
    options.socket = fixture.socket;
    options.flags = MB_CLIENT_NO_THREAD;
    EMPTIES(mb_connect(&options, &other));
    EMPTIES(mb_client_fd(other));
    EMPTIES(mb_client_dispatch(other));
    EMPTIES(mb_wait_connected(other, 0));
    EMPTIES(mb_ping(client));
    EMPTIES(mb_acquire(client, MIB, NULL, &lease));
    EMPTIES(mb_extend(lease, MIB, NULL));
    EMPTIES(mb_map(lease, 0, &address, NULL));
    EMPTIES(mb_map(lease, 0, &address, NULL));
    EMPTIES(mb_lease_check(lease));
    LEAVES(mb_release(lease));
    mb_disconnect(other);
    end();
}

Test(last_error, a_successful_buffer_call_clears_the_last_error)
{
    mb_buffer *buffer, *again;
    mb_weak *weak;
    begin(LIMITS);
    EMPTIES(mb_buffer_create(client, 100, NULL, &buffer));
    (void)mb_buffer_unref(buffer);
    EMPTIES(mb_buffer_create(client, 100, NULL, &buffer));
    EMPTIES(mb_buffer_check(buffer));
    EMPTIES(mb_weak_create(buffer, &weak));
    mb_ref ref = mb_buffer_as_ref(buffer);
    EMPTIES(mb_ref_check(&ref));
    EMPTIES(mb_buffer_detach(&ref, &again));
    LEAVES((mb_buffer_unref(again), 0));
    (void)mb_weak_drop(weak);
    (void)mb_buffer_unref(buffer);
    end();
}

Test(last_error, a_successful_workspace_call_clears_the_last_error)
{
    mb_workspace *workspace, *same;
    begin(LIMITS);
    EMPTIES(mb_workspace_open(client, "w", NULL, &workspace));
    EMPTIES(mb_workspace_get(client, "w", NULL, &same));
    EMPTIES(mb_workspace_enter(workspace));
    EMPTIES(mb_workspace_enter(workspace));
    LEAVES(mb_workspace_leave(workspace));
    EMPTIES(mb_workspace_borrow(workspace));
    LEAVES(mb_workspace_leave(workspace));
    EMPTIES(mb_scope_out());
    LEAVES(mb_scope_in());
    mb_ref ref = mb_workspace_ref(workspace, ALLOC(workspace, 100), 100);
    EMPTIES(mb_ref_check(&ref));
    EMPTIES(mb_workspace_check(workspace));
    LEAVES(mb_workspace_leave(workspace));
    EMPTIES(mb_workspace_initialize(workspace));
    LEAVES((mb_workspace_close(workspace), 0));
    end();
}

/* A program's error in a block outlives the block: its leaving sizes the arena, which is refused. */
static int fail_in_a_block(mb_workspace *workspace)
{
    MB_WORKSPACE(workspace, return -errno) {
        (void)ALLOC(workspace, 2 * MIB);
        fail_once();
        return -ENOMEM;
    }
    return 0;
}

Test(last_error, the_last_error_of_a_block_is_kept_when_it_is_left)
{
    begin(LIMITS);
    mb_workspace *workspace = open_named(client, "w", default_config());
    mb_lease *lease;
    cr_assert(mb_acquire(client, 2 * MIB, NULL, &lease) == 0);
    cr_expect_eq(fail_in_a_block(workspace), -ENOMEM);
    cr_expect(strstr(mb_last_error(), "64 MiB"), "%s", mb_last_error());
    cr_expect_null(mb_workspace_current());
    cr_expect_eq(stats_of(workspace).sizings_refused, 1);
    (void)mb_release(lease);
    mb_workspace_close(workspace);
    end();
}
