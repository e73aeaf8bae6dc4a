/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and views when somebody dies: the publisher, a reader, the broker. And many threads that do all of it. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/integration/blocks.h"
#include "tests/integration/manager.h"

TestSuite(blocks_recovery, .timeout = 120);

static struct manager manager;

/* ---- processes that are killed ---- */

static int publish_and_wait(const struct fixture *of)
{
    mb_client *own = fixture_connect(of, 0);
    (void)publish(own, "weights", 3);
    (void)pause();
    return 0;
}

static int attach_and_wait(const struct fixture *of)
{
    mb_client *own = fixture_connect(of, 0);
    (void)attach(own, "weights");
    mb_block *block = publish(own, "reader-is-there", 1);
    (void)block;
    (void)pause();
    return 0;
}

static void kill_and_wait(pid_t process)
{
    cr_assert(kill(process, SIGKILL) == 0 && waitpid(process, NULL, 0) == process);
}

Test(blocks_recovery, a_publisher_that_dies_leaves_its_readers_their_bytes)
{
    begin("");
    pid_t publisher = fixture_fork(publish_and_wait, &fixture);
    mb_view *view = NULL;
    cr_assert_eq(mb_attach(client, "weights", 20000, &view), 0, "%s", mb_last_error());
    kill_and_wait(publisher);
    WAIT_UNTIL(attach_result(client, "weights", 0) == -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_DIED);
    cr_expect(view_is(view, 3), "%s", mb_last_error());
    cr_expect_eq(used(), BLOCK_BYTES);
    cr_expect_eq(mb_view_close(view), 0);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(blocks_recovery, a_reader_that_dies_takes_nothing_with_it)
{
    begin("");
    mb_block *block = publish(client, "weights", 3);
    pid_t reader = fixture_fork(attach_and_wait, &fixture);
    mb_view *view = NULL;
    cr_assert_eq(mb_attach(client, "reader-is-there", 20000, &view), 0);
    cr_expect_eq(mb_view_close(view), 0);
    kill_and_wait(reader);
    WAIT_UNTIL(used() == BLOCK_BYTES);
    fixture_audit(&fixture);
    cr_expect(is_filled(mb_block_data(block), BLOCK_BYTES, 3));
    cr_expect_eq(mb_block_free(block), 0);
    WAIT_UNTIL(used() == 0);
    end();
}

/* ---- the broker: with a service manager see test-blocks_restart.c ---- */

static void *wait_for_late(void *ret_result)
{
    mb_view *view = NULL;
    int result = mb_attach(client, "late", 60000, &view);
    *(int *)ret_result = result == 0 && !view_is(view, 6) ? -EBADMSG : result;
    (void)mb_view_close(view);
    return NULL;
}

static bool somebody_waits(void)
{
    struct status_reply status;
    return fixture_try_status(&fixture, &status) && status.sessions > 0;
}

Test(blocks_recovery, a_wait_for_a_name_survives_a_restart)
{
    pthread_t thread;
    int result = 1;
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    client = fixture_connect(&fixture, 0);
    cr_assert(pthread_create(&thread, NULL, wait_for_late, &result) == 0);
    WAIT_UNTIL(somebody_waits());
    manager_restart(&manager, SIGKILL);
    mb_client *publisher = fixture_connect(&fixture, 0);
    mb_block *block = publish(publisher, "late", 6);
    (void)pthread_join(thread, NULL);
    cr_expect_eq(result, 0);
    cr_expect_eq(mb_block_free(block), 0);
    WAIT_UNTIL(used() == 0);
    mb_disconnect(publisher);
    mb_disconnect(client);
    manager_stop(&manager);
}

Test(blocks_recovery, without_a_service_manager_the_loss_is_told)
{
    begin("");
    mb_block *block = publish(client, "weights", 4);
    mb_view *view = attach(client, "weights");
    cr_assert(kill(fixture.daemon, SIGKILL) == 0 && waitpid(fixture.daemon, NULL, 0) == fixture.daemon);
    fixture_launch(&fixture);
    WAIT_UNTIL(mb_view_check(view) < 0 && mb_lease_check(mb_block_lease(block)) < 0);
    cr_expect_eq(mb_last_end_reason(), MB_END_BROKER_GONE);
    cr_expect_eq(mb_view_close(view), -ESTALE);
    cr_expect_eq(mb_block_publish(block, "weights"), -ESTALE);
    cr_expect_eq(mb_block_free(block), -ESTALE);
    fixture_wait_connected(client);
    cr_expect_eq(attach_result(client, "weights", 0), -ENOENT);
    end();
}

/* ---- many threads ---- */

enum { THREADS = 6, ROUNDS = 60 };
static atomic_uint faults, published;

/* Any of them may replace or take the name at any moment. */
static void *use_all(void *argument)
{
    const int value = *(int *)argument;
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.replace = 1;
    for (int i = 0; i < ROUNDS; i++) {
        mb_view *view = NULL;
        mb_block *block = publish_with(client, "shared", &options, value);
        published++;
        if (mb_attach(client, "shared", 0, &view) == 0) {
            faults += !view_is(view, *(const unsigned char *)mb_view_data(view, NULL));
            (void)mb_view_close(view);
        }
        if (i % 3 == 0) {
            (void)mb_unpublish(client, "shared");
        }
        faults += !is_filled(mb_block_data(block), BLOCK_BYTES, value);
        (void)mb_block_free(block);
    }
    return NULL;
}

Test(blocks_recovery, threads_share_a_client)
{
    pthread_t threads[THREADS];
    int values[THREADS];
    begin("");
    for (int i = 0; i < THREADS; i++) {
        values[i] = i + 1;
        cr_assert(pthread_create(&threads[i], NULL, use_all, &values[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    cr_expect_eq(faults, 0);
    cr_expect_eq(published, THREADS * ROUNDS);
    WAIT_UNTIL(used() == 0);
    end();
}

static void *publish_it(void *argument)
{
    mb_block *block = argument;
    int result = mb_block_publish(block, "once");
    faults += result != 0 && result != -EINVAL;
    published += result == 0;
    return NULL;
}

Test(blocks_recovery, threads_that_publish_one_block_do_not_disturb_each_other)
{
    pthread_t threads[THREADS];
    begin("");
    for (int round = 0; round < 20; round++) {
        mb_block *block = create_filled(client, NULL, 1);
        for (int i = 0; i < THREADS; i++) {
            cr_assert(pthread_create(&threads[i], NULL, publish_it, block) == 0);
        }
        for (int i = 0; i < THREADS; i++) {
            (void)pthread_join(threads[i], NULL);
        }
        cr_expect_eq(mb_block_free(block), 0);
        WAIT_UNTIL(used() == 0);
    }
    cr_expect(faults == 0 && published >= 20);
    end();
}
