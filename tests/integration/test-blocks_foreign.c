/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another user's view must not keep the owner's quota: when the block has lost its name, it ends within the grace time,
 * also if its holder is stopped, and if another grace is configured meanwhile.
 */
#include <grp.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/integration/blocks.h"

TestSuite(blocks_foreign, .timeout = 60);

enum { ALICE = 4001, GRACE_MS = 400 };

static struct shared {
    atomic_bool is_attached, may_look;
    atomic_int faults;
} * shared;

static mb_block *block;
static pid_t alice;

/* Attaches the block, and looks at it again when it is told to. */
static int hold(const struct fixture *of)
{
    mb_view *view = NULL;
    if (setgroups(0, NULL) < 0 || setgid(ALICE) < 0 || setuid(ALICE) < 0) {
        return 99;
    }
    mb_client *own = fixture_connect(of, MB_CLIENT_GUARD);
    int result = mb_attach_from(own, 0, "n", 0, &view);
    shared->faults += result < 0 || !view_is(view, 7);
    shared->is_attached = true;
    while (!shared->may_look) {
        sleep_ms(5);
    }
    while (mb_view_check(view) == 0) {
        sleep_ms(5);
    }
    shared->faults += mb_last_end_reason() != MB_END_UNPUBLISHED;
    shared->faults += !strstr(mb_last_error(), ", the view of block \"n\", is lost: the block was unpublished");
    shared->faults += !is_filled(mb_view_data(view, NULL), BLOCK_BYTES, 0);
    shared->faults += mb_view_close(view) != -ESTALE;
    mb_disconnect(own);
    return 0;
}

static void begin_held(void)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(shared != MAP_FAILED);
    begin("[sharing]\ngrace = 400ms\n");
    cr_assert(chmod(fixture.socket, 0666) == 0);
    options.access = MB_ACCESS_ALL;
    block = publish_with(client, "n", &options, 7);
    alice = fixture_fork(hold, &fixture);
    WAIT_UNTIL(shared->is_attached);
}

/* It is not before the grace is over; how soon after it, the machine's load decides too. */
static void expect_end_after_grace(uint64_t began_ms)
{
    WAIT_UNTIL(used() == 0);
    cr_expect_geq(now_ms() - began_ms, GRACE_MS, "other users have the grace time");
    fixture_audit(&fixture);
}

static void end_held(void)
{
    int status;
    shared->may_look = true;
    (void)kill(alice, SIGCONT);
    cr_assert(waitpid(alice, &status, 0) == alice);
    cr_expect_eq(status, 0);
    cr_expect_eq(shared->faults, 0, "the holder is told, and reads zeros");
    (void)munmap(shared, sizeof *shared);
    end();
}

static uint64_t unpublish(void)
{
    uint64_t began = now_ms();
    cr_assert_eq(mb_unpublish(client, "n"), 0, "%s", mb_last_error());
    (void)mb_block_free(block);
    return began;
}

Test(blocks_foreign, a_view_of_another_user_ends_after_the_grace)
{
    begin_held();
    expect_end_after_grace(unpublish());
    end_held();
}

Test(blocks_foreign, a_holder_that_is_stopped_keeps_nothing_for_longer)
{
    begin_held();
    cr_assert(kill(alice, SIGSTOP) == 0);
    expect_end_after_grace(unpublish());
    end_held();
}

Test(blocks_foreign, a_longer_grace_that_is_configured_meanwhile_changes_nothing)
{
    begin_held();
    uint64_t began = unpublish();
    fixture_write_config(&fixture, "[sharing]\ngrace = 1h\n");
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    WAIT_UNTIL(fixture_log_has(&fixture, "configuration reloaded"));
    expect_end_after_grace(began);
    end_held();
}
