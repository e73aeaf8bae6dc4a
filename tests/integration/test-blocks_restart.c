/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and views over restarts under a service manager: names, numbers, bytes and accounts stay. */
#include <stdatomic.h>
#include <stdio.h>

#include "tests/integration/blocks.h"
#include "tests/integration/sweep.h"

TestSuite(blocks_restart, .timeout = 120);

static struct manager manager;
static mb_client *reader;
static atomic_int lost;

static void on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    lost += event->type == MB_EVENT_LEASE_LOST || event->type == MB_EVENT_NEW_SESSION;
}

static void connect_both(void)
{
    client = sweep_connect(&fixture, on_event);
    reader = sweep_connect(&fixture, on_event);
}

static void begin_kept(const char *settings)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, settings);
    connect_both();
}

static void end_kept(void)
{
    mb_disconnect(reader);
    mb_disconnect(client);
    WAIT_UNTIL(used() == 0);
    cr_expect_eq(lost, 0, "nobody was told of a loss");
    manager_stop(&manager);
}

/* Both have their sessions again. */
static void restart(int signal)
{
    manager_restart(&manager, signal);
    fixture_wait_connected(client);
    fixture_wait_connected(reader);
}

static mb_location location = MB_LOCATION_RAM; /* of the blocks */

static mb_block_options lasting(mb_lifetime lifetime)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.lifetime = lifetime;
    options.location = location;
    return options;
}

/* ---- what stays ---- */

/* 3,000 bytes go on in many records. */
static void describe(mb_block_options *options, char metadata[3000])
{
    for (int i = 0; i < 3000; i++) {
        metadata[i] = (char)(i % 251);
    }
    options->type = "float64";
    options->metadata = metadata;
    options->metadata_bytes = 3000;
}

static void expect_described(const mb_view *view, const char metadata[3000])
{
    size_t bytes;
    const void *described = mb_view_metadata(view, &bytes);
    cr_expect_str_eq(mb_view_type(view), "float64");
    cr_expect(bytes == 3000 && memcmp(described, metadata, bytes) == 0);
}

static void restart_and_go_on(int signal)
{
    char metadata[3000];
    mb_block_options options = lasting(MB_LIFETIME_SESSION);
    begin_kept("");
    size_t stored = manager_stored(&manager);
    describe(&options, metadata);
    mb_block *block = publish_with(client, "weights", &options, 4);
    mb_view *view = attach(reader, "weights");
    for (int round = 0; round < 2; round++) {
        restart(signal);
        cr_expect(view_is(view, 4), "%s", mb_last_error());
        mb_view *again = attach(reader, "weights");
        cr_expect_eq(mb_view_number(again), mb_view_number(view));
        cr_expect(view_is(again, 4));
        expect_described(again, metadata);
        cr_expect_eq(mb_view_close(again), 0);
        cr_expect_eq(used(), BLOCK_BYTES);
        fixture_audit(&fixture);
    }
    cr_expect_eq(mb_lease_check(mb_block_lease(block)), 0);
    cr_expect_eq(mb_block_free(block), 0);
    cr_expect_eq(attach_result(reader, "weights", 0), -ESTALE, "it ended with its publisher");
    cr_expect(view_is(view, 4));
    restart(signal);
    cr_expect(view_is(view, 4), "what has lost its name stays for its views: %s", mb_last_error());
    cr_expect_eq(attach_result(reader, "weights", 0), -ESTALE);
    cr_expect_eq(mb_view_close(view), 0);
    WAIT_UNTIL(used() == 0);
    WAIT_UNTIL(manager_stored(&manager) == stored);
    end_kept();
}

Test(blocks_restart, kill_9_of_the_broker_changes_nothing_for_publishers_and_readers)
{
    restart_and_go_on(SIGKILL);
}

Test(blocks_restart, a_hand_over_changes_nothing_for_publishers_and_readers)
{
    restart_and_go_on(SIGTERM);
}

Test(blocks_restart, kill_9_and_a_hand_over_change_nothing_for_blocks_in_files)
{
    location = MB_LOCATION_MMAP;
    restart_and_go_on(SIGKILL);
    restart_and_go_on(SIGTERM);
}

Test(blocks_restart, what_is_kept_for_nobody_stays_for_its_time)
{
    mb_block_options kept = lasting(MB_LIFETIME_KEEP), cached = lasting(MB_LIFETIME_CACHE), timed = kept;
    begin_kept("[leases]\nreconnect_grace = 1s\n");
    timed.keep_ms = 3000;
    cr_expect_eq(mb_block_free(publish_with(client, "kept", &kept, 1)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "cached", &cached, 2)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "timed", &timed, 3)), 0);
    for (int round = 0; round < 3; round++) {
        restart(round == 1 ? SIGTERM : SIGKILL);
        cr_expect(attach_result(reader, "kept", 0) == 0 && attach_result(reader, "cached", 0) == 0);
    }
    WAIT_UNTIL(attach_result(reader, "timed", 0) == -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_EXPIRED);
    cr_expect_eq(mb_unpublish(reader, "kept"), 0);
    cr_expect_eq(mb_unpublish(reader, "cached"), 0);
    end_kept();
}

Test(blocks_restart, caches_are_evicted_in_the_order_of_their_use_before_the_restart)
{
    mb_block_options cached = lasting(MB_LIFETIME_CACHE);
    mb_lease *lease;
    begin_kept("[limits]\nmax_physical_bytes = 4M\n");
    cr_expect_eq(mb_block_free(publish_with(client, "one", &cached, 1)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "two", &cached, 2)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "three", &cached, 3)), 0);
    cr_expect_eq(attach_result(reader, "one", 0), 0);
    restart(SIGKILL);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.wait_ms = 10000;
    cr_assert(mb_acquire(client, 2 * MIB, &options, &lease) == 0, "%s", mb_last_error());
    cr_expect_eq(attach_result(reader, "two", 0), -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_EVICTED);
    cr_expect(attach_result(reader, "one", 0) == 0 && attach_result(reader, "three", 0) == 0);
    cr_expect_eq(mb_release(lease), 0);
    cr_expect(mb_unpublish(client, "one") == 0 && mb_unpublish(client, "three") == 0);
    end_kept();
}

/* ---- who does not come back ---- */

static int publish_both_and_wait(const struct fixture *of)
{
    mb_client *own = fixture_connect(of, 0);
    mb_block_options options = lasting(MB_LIFETIME_KEEP);
    (void)publish(own, "session", 3);
    (void)publish_with(own, "kept", &options, 3);
    (void)pause();
    return 0;
}

/* The daemon is away when its client dies. */
Test(blocks_restart, a_publisher_that_dies_meanwhile_leaves_what_is_to_be_kept)
{
    begin_kept("");
    pid_t publisher = fixture_fork(publish_both_and_wait, &fixture);
    mb_view *view = NULL;
    cr_assert_eq(mb_attach(reader, "kept", 20000, &view), 0, "%s", mb_last_error());
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    cr_assert(kill(publisher, SIGKILL) == 0 && waitpid(publisher, NULL, 0) == publisher);
    restart(SIGKILL);
    WAIT_UNTIL(attach_result(reader, "session", 0) == -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_DIED);
    cr_expect(view_is(view, 3));
    WAIT_UNTIL(used() == BLOCK_BYTES);
    fixture_audit(&fixture);
    cr_expect_eq(mb_view_close(view), 0);
    cr_expect_eq(mb_unpublish(reader, "kept"), 0);
    end_kept();
}

/* Of the status; "": any. */
static bool has_warning(const char *words)
{
    struct status_reply status = fixture_status(&fixture);
    return *status.warnings && strstr(status.warnings, words);
}

Test(blocks_restart, lowered_limits_take_no_block_away)
{
    mb_block_options options = lasting(MB_LIFETIME_KEEP);
    begin_kept("");
    cr_expect_eq(mb_block_free(publish_with(client, "one", &options, 1)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "two", &options, 2)), 0);
    fixture_write_config(&fixture, "[sharing]\nmax_blocks = 1\n[limits]\nmax_bytes = 1M\n");
    restart(SIGKILL);
    cr_expect(fixture_log_has(&fixture, "the blocks and views stay, but the configuration allows fewer: user"));
    cr_expect(fixture_log_has(&fixture, "has 2 blocks and 0 views of blocks, and [sharing] max_blocks is 1 "));
    cr_expect(has_warning("has 2 blocks and 0 views of blocks, and [sharing] max_blocks is 1 "));
    cr_expect(attach_result(reader, "one", 0) == 0 && attach_result(reader, "two", 0) == 0);
    mb_block *block = NULL;
    cr_expect_eq(mb_block_create(client, BLOCK_BYTES, NULL, &block), -ENOMEM);
    cr_expect_eq(mb_unpublish(client, "one"), 0);
    WAIT_UNTIL(!has_warning(""));
    fixture_write_config(&fixture, "[sharing]\nmax_blocks = 0\n");
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    WAIT_UNTIL(has_warning("has 1 blocks and 0 views of blocks, and [sharing] max_blocks is 0 "));
    cr_expect_eq(mb_unpublish(client, "two"), 0);
    WAIT_UNTIL(!has_warning(""));
    end_kept();
}

/* ---- killed at every point ---- */

/* Whatever point of this the daemon dies at, every call works, and a name leads to a whole block. */
static void work(void)
{
    mb_block_options options = lasting(MB_LIFETIME_KEEP);
    options.replace = 1;
    options.type = "bytes";
    connect_both();
    mb_block *first = publish_with(client, "n", &options, 1);
    mb_view *old = attach(reader, "n");
    mb_block *second = publish_with(client, "n", &options, 2);
    mb_view *view = attach(reader, "n");
    cr_assert(mb_block_free(first) == 0, "%s", mb_last_error());
    cr_assert(view_is(old, 1) && view_is(view, 2), "%s", mb_last_error());
    WAIT_UNTIL(sweep_uses(&fixture, (uint64_t)2 * BLOCK_BYTES));
    fixture_audit(&fixture);
    cr_assert(mb_view_close(old) == 0 && mb_block_free(second) == 0, "%s", mb_last_error());
    cr_assert(view_is(view, 2) && mb_view_close(view) == 0, "%s", mb_last_error());
    WAIT_UNTIL(sweep_uses(&fixture, BLOCK_BYTES));
    WAIT_UNTIL(attach_result(reader, "n", 0) != 0 || mb_unpublish(client, "n") == 0);
    WAIT_UNTIL(sweep_uses(&fixture, 0));
    mb_disconnect(reader);
    mb_disconnect(client);
}

static void die_at_every_point(void)
{
    sweep_faults(&manager, &fixture, "[leases]\nreconnect_grace = 1s\n", work, 60);
}

Test(blocks_restart, killed_at_every_point_of_publishing_attaching_and_ending, .timeout = 600)
{
    die_at_every_point();
}

Test(blocks_restart, killed_at_every_point_of_the_same_with_files, .timeout = 600)
{
    location = MB_LOCATION_MMAP;
    die_at_every_point();
}
