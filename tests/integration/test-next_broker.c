/* SPDX-License-Identifier: Apache-2.0 */
/* Each call reaches the broker that was started after one that was killed, whatever its client did before. */
#include "tests/integration/blocks.h"

TestSuite(next_broker, .timeout = 120);

/* ---- the calls: each makes sense without a lease, and each has the same result whenever a broker answers ---- */

static int acquire(mb_client *of)
{
    mb_lease *lease;
    int result = mb_acquire(of, MIB, NULL, &lease);
    return result < 0 ? result : mb_release(lease);
}

static int publish_once(mb_client *of)
{
    mb_block *block;
    int result = mb_block_create(of, MIB, NULL, &block);
    if (result == 0) {
        result = mb_block_publish(block, "published");
        (void)mb_block_free(block);
    }
    return result;
}

static int attach_absent(mb_client *of)
{
    return attach_result(of, "absent", 0);
}

static int visit(const mb_block_info *block, void *user_data)
{
    (void)block;
    (void)user_data;
    return 0;
}

static int list(mb_client *of)
{
    return mb_list_blocks(of, visit, NULL);
}

static int watch(mb_client *of)
{
    mb_block_watch *names;
    const mb_block_change *change;
    cr_assert(mb_watch_blocks(of, "absent", &names) == 0, "%s", mb_last_error());
    int result = mb_block_watch_next(names, 0, &change);
    mb_block_watch_end(names);
    return result;
}

static int put(mb_client *of)
{
    return mb_put(of, "put", "x", 1, NULL);
}

static int get(mb_client *of)
{
    return mb_get(of, "absent", NULL, 0);
}

static int get_from(mb_client *of)
{
    return mb_get_from(of, getuid(), "absent", NULL, 0);
}

static int remove_absent(mb_client *of)
{
    return mb_remove(of, "absent");
}

static int unpublish_absent(mb_client *of)
{
    return mb_unpublish(of, "absent");
}

static const struct {
    const char *name;
    int (*make)(mb_client *of);
    int result;
} calls[] = {
    {"acquire", acquire, 0},
    {"publish", publish_once, 0},
    {"attach", attach_absent, -ENOENT},
    {"list", list, 0},
    {"watch", watch, 0},
    {"put", put, 0},
    {"get", get, -ENOENT},
    {"get from", get_from, -ENOENT},
    {"remove", remove_absent, -ENOENT},
    {"unpublish", unpublish_absent, -ENOENT},
    {"ping", mb_ping, 0},
};

enum { CALLS = sizeof calls / sizeof *calls };

/* ---- the brokers ---- */

static void expect_no_broker(mb_client *of, size_t call)
{
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(calls[call].make(of), -ENOTCONN, "%s: %s", calls[call].name, mb_last_error());
    }
}

static void call_without_broker_and_with_the_next(unsigned flags, bool starts_thread)
{
    mb_client *clients[CALLS];
    fixture_start(&fixture, "");
    for (size_t i = 0; i < CALLS; i++) {
        clients[i] = fixture_connect(&fixture, flags);
        (void)(starts_thread && mb_client_pressure(clients[i]));
    }
    cr_assert(kill(fixture.daemon, SIGKILL) == 0 && waitpid(fixture.daemon, NULL, 0) == fixture.daemon);
    for (size_t i = 0; i < CALLS; i++) {
        expect_no_broker(clients[i], i);
    }
    fixture_launch(&fixture);
    for (size_t i = 0; i < CALLS; i++) {
        int result = calls[i].make(clients[i]);
        cr_expect_eq(result, calls[i].result, "%s: %d: %s", calls[i].name, result, mb_last_error());
        mb_disconnect(clients[i]);
    }
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
}

Test(next_broker, answers_a_client_that_has_had_no_lease)
{
    call_without_broker_and_with_the_next(0, false);
}

Test(next_broker, answers_a_client_without_a_thread)
{
    call_without_broker_and_with_the_next(MB_CLIENT_NO_THREAD, false);
}

Test(next_broker, answers_a_client_whose_thread_has_just_tried_in_vain)
{
    call_without_broker_and_with_the_next(0, true);
}
