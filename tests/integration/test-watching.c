/* SPDX-License-Identifier: Apache-2.0 */
/* Watching names by the library: what is told, in which order, to whom, and over restarts of the broker. */
#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/integration/blocks.h"
#include "tests/integration/manager.h"

TestSuite(watching, .timeout = 120);

enum { WAIT_MS = 20000, FORGOTTEN = 1100 /* more changes than the broker keeps */ };

static mb_block_watch *watch_names(mb_client *of, const char *prefix)
{
    mb_block_watch *watch = NULL;
    cr_assert(mb_watch_blocks(of, prefix, &watch) == 0, "%s", mb_last_error());
    return watch;
}

/* "+name", "-name:reason", or what else the call says. */
static const char *next(mb_block_watch *watch, uint32_t wait_ms)
{
    static char told[100];
    const mb_block_change *change;
    int result = mb_block_watch_next(watch, wait_ms, &change);
    if (result <= 0) {
        (void)snprintf(told, sizeof told, "%s", result == 0 ? "nothing" : mb_last_error());
    } else if (change->type == MB_BLOCK_PUBLISHED) {
        (void)snprintf(told, sizeof told, "+%s", change->name);
    } else {
        (void)snprintf(told, sizeof told, "-%s:%d", change->name, (int)change->reason);
    }
    return told;
}

#define EXPECT_NEXT(watch, expected) cr_expect_str_eq(next(watch, WAIT_MS), expected)
#define EXPECT_NOTHING(watch)        cr_expect_str_eq(next(watch, 0), "nothing")

static void keep(mb_client *of, const char *name)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.lifetime = MB_LIFETIME_KEEP;
    options.replace = 1;
    options.type = "array";
    cr_assert_eq(mb_block_free(publish_with(of, name, &options, 1)), 0);
}

static void unpublish(mb_client *of, const char *name)
{
    cr_assert(mb_unpublish(of, name) == 0, "%s", mb_last_error());
}

Test(watching, what_there_is_comes_first_and_then_what_happens)
{
    begin("");
    keep(client, "n2");
    keep(client, "n1");
    keep(client, "other");
    mb_block_watch *watch = watch_names(client, "n");
    EXPECT_NEXT(watch, "+n1");
    unpublish(client, "n1");
    EXPECT_NEXT(watch, "+n2");
    EXPECT_NEXT(watch, "-n1:8");
    EXPECT_NOTHING(watch);
    keep(client, "n2");
    mb_block *block = publish(client, "n", 1);
    unpublish(client, "other");
    cr_expect_eq(mb_block_free(block), 0);
    EXPECT_NEXT(watch, "-n2:9");
    EXPECT_NEXT(watch, "+n2");
    EXPECT_NEXT(watch, "+n");
    EXPECT_NEXT(watch, "-n:1");
    EXPECT_NOTHING(watch);
    unpublish(client, "n2");
    EXPECT_NEXT(watch, "-n2:8");
    mb_block_watch_end(watch);
    mb_block_watch_end(NULL);
    end();
}

Test(watching, a_change_has_what_a_reader_needs_to_know)
{
    const mb_block_change *change;
    begin("");
    keep(client, "n");
    mb_view *view = attach(client, "n");
    mb_block_watch *watch = watch_names(client, "");
    cr_assert_eq(mb_block_watch_next(watch, 0, &change), 1);
    cr_expect(change->number == mb_view_number(view) && change->bytes == BLOCK_BYTES);
    cr_expect_str_eq(change->block_type, "array");
    cr_expect_str_eq(change->name, "n");
    mb_block_watch_end(watch);
    cr_expect_eq(mb_view_close(view), 0);
    unpublish(client, "n");
    end();
}

Test(watching, many_names_come_in_pages)
{
    enum { BLOCKS = 200 };
    char name[16];
    begin("");
    for (int i = 0; i < BLOCKS; i++) {
        (void)snprintf(name, sizeof name, "n%03d", i);
        keep(client, name);
    }
    mb_block_watch *watch = watch_names(client, "n");
    for (int i = 0; i < BLOCKS; i++) {
        (void)snprintf(name, sizeof name, "+n%03d", i);
        EXPECT_NEXT(watch, name);
    }
    EXPECT_NOTHING(watch);
    mb_block_watch_end(watch);
    end();
}

/* The list's later pages have some of it already; and a list that is made again begins at its first name. */
Test(watching, what_happens_between_two_pages_is_told_once)
{
    enum { BLOCKS = 70 /* more than a page has */ };
    char name[16];
    begin("");
    for (int i = 0; i < BLOCKS; i++) {
        (void)snprintf(name, sizeof name, "n%03d", i);
        keep(client, name);
    }
    keep(client, "replaced");
    mb_block_watch *watch = watch_names(client, "");
    EXPECT_NEXT(watch, "+n000");
    keep(client, "first");
    keep(client, "replaced");
    for (int i = 1; i < BLOCKS; i++) {
        (void)snprintf(name, sizeof name, "+n%03d", i);
        EXPECT_NEXT(watch, name);
    }
    EXPECT_NEXT(watch, "+replaced");
    EXPECT_NEXT(watch, "+first");
    EXPECT_NOTHING(watch);
    for (int i = 0; i < FORGOTTEN / 2; i++) {
        keep(client, "comes-and-goes");
        unpublish(client, "comes-and-goes");
    }
    EXPECT_NOTHING(watch);
    unpublish(client, "n000");
    EXPECT_NEXT(watch, "-n000:8");
    mb_block_watch_end(watch);
    end();
}

Test(watching, prefixes_that_can_not_be_are_refused)
{
    char name[80] = "";
    mb_block_watch *watch;
    begin("");
    cr_expect_eq(mb_watch_blocks(client, "a\tb", &watch), -EINVAL);
    cr_expect_eq(mb_watch_blocks(client, NULL, &watch), -EINVAL);
    memset(name, 'a', 64);
    cr_expect_eq(mb_watch_blocks(client, name, &watch), -EINVAL);
    name[63] = '\0';
    cr_expect_eq(mb_watch_blocks(client, name, &watch), 0);
    mb_block_watch_end(watch);
    end();
}

/* ---- waiting ---- */

struct waiting {
    pthread_t thread;
    mb_block_watch *watch;
    atomic_int result; /* 0: it waits */
    char name[64];
};

static void *wait_for_change(void *argument)
{
    struct waiting *waiting = argument;
    const mb_block_change *change;
    int result;
    do { /* another watch of the client may have the only place now */
        result = mb_block_watch_next(waiting->watch, WAIT_MS, &change);
    } while (result == -EMFILE);
    if (result > 0) {
        memcpy(waiting->name, change->name, sizeof waiting->name);
    }
    waiting->result = result;
    return NULL;
}

static struct waiting begin_wait(mb_block_watch *watch)
{
    return (struct waiting){.watch = watch};
}

static void start(struct waiting *waiting)
{
    cr_assert(pthread_create(&waiting->thread, NULL, wait_for_change, waiting) == 0);
}

static int finish(struct waiting *waiting)
{
    (void)pthread_join(waiting->thread, NULL);
    return waiting->result;
}

Test(watching, a_thread_that_waits_is_told)
{
    begin("");
    struct waiting waiting = begin_wait(watch_names(client, "n"));
    start(&waiting);
    keep(client, "other");
    keep(client, "name");
    cr_expect_eq(finish(&waiting), 1);
    cr_expect_str_eq(waiting.name, "name");
    mb_block_watch_end(waiting.watch);
    end();
}

Test(watching, a_wait_can_be_cancelled_and_begun_again)
{
    begin("");
    struct waiting waiting = begin_wait(watch_names(client, "n"));
    start(&waiting);
    while (!waiting.result) {
        mb_cancel_waits(client);
        sleep_ms(5);
    }
    cr_expect_eq(finish(&waiting), -ECANCELED);
    keep(client, "n");
    EXPECT_NEXT(waiting.watch, "+n");
    mb_block_watch_end(waiting.watch);
    end();
}

Test(watching, so_many_of_a_client_can_wait)
{
    begin("[sharing]\nmax_watches = 1\n");
    struct waiting waiting = begin_wait(watch_names(client, "n"));
    mb_block_watch *second = watch_names(client, "n");
    EXPECT_NOTHING(second);
    start(&waiting);
    const mb_block_change *change;
    int result;
    while ((result = mb_block_watch_next(second, 1, &change)) == 0) { /* the thread does not wait yet */
    }
    cr_expect_eq(result, -EMFILE);
    EXPECT_SENTENCE("max_watches");
    keep(client, "n");
    cr_expect_eq(finish(&waiting), 1);
    EXPECT_NEXT(second, "+n");
    mb_block_watch_end(second);
    mb_block_watch_end(waiting.watch);
    end();
}

/* ---- what the broker does not remember ---- */

Test(watching, a_slow_program_is_told_every_end_once)
{
    begin("");
    keep(client, "ends");
    keep(client, "is-replaced");
    keep(client, "stays");
    mb_block_watch *watch = watch_names(client, "");
    EXPECT_NEXT(watch, "+ends");
    EXPECT_NEXT(watch, "+is-replaced");
    EXPECT_NEXT(watch, "+stays");
    EXPECT_NOTHING(watch);
    unpublish(client, "ends");
    keep(client, "is-replaced");
    for (int i = 0; i < FORGOTTEN / 2; i++) {
        keep(client, "comes-and-goes");
        unpublish(client, "comes-and-goes");
    }
    keep(client, "new");
    EXPECT_NEXT(watch, "-is-replaced:0");
    EXPECT_NEXT(watch, "+is-replaced");
    EXPECT_NEXT(watch, "+new");
    EXPECT_NEXT(watch, "-ends:0");
    EXPECT_NOTHING(watch);
    unpublish(client, "stays");
    EXPECT_NEXT(watch, "-stays:8");
    mb_block_watch_end(watch);
    end();
}

/* ---- restarts ---- */

static struct manager manager;

static mb_client *connect_lasting(void)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *made = NULL;
    options.socket = fixture.socket;
    options.timeout_ms = WAIT_MS;
    cr_assert(mb_connect(&options, &made) == 0, "%s", mb_last_error());
    return made;
}

static void restart_while_one_waits(int signal)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    client = connect_lasting();
    mb_client *other = connect_lasting();
    keep(other, "stays");
    mb_block *session = publish(other, "ends", 2);
    mb_block_watch *watch = watch_names(client, "");
    EXPECT_NEXT(watch, "+ends");
    EXPECT_NEXT(watch, "+stays");
    EXPECT_NOTHING(watch);
    struct waiting waiting = begin_wait(watch);
    start(&waiting);
    manager_restart(&manager, signal);
    fixture_wait_connected(other);
    cr_expect_eq(mb_block_free(session), 0);
    cr_expect_eq(finish(&waiting), 1, "the wait continues");
    cr_expect_str_eq(waiting.name, "ends");
    manager_restart(&manager, signal);
    fixture_wait_connected(other);
    keep(other, "stays");
    EXPECT_NEXT(watch, "-stays:0");
    EXPECT_NEXT(watch, "+stays");
    EXPECT_NOTHING(watch);
    unpublish(other, "stays");
    EXPECT_NEXT(watch, "-stays:8");
    mb_block_watch_end(watch);
    mb_disconnect(other);
    mb_disconnect(client);
    manager_stop(&manager);
}

Test(watching, kill_9_of_the_broker_loses_no_end)
{
    restart_while_one_waits(SIGKILL);
}

Test(watching, a_restart_loses_no_end)
{
    restart_while_one_waits(SIGTERM);
}

/* The next daemon has counted at least as many changes when the watch asks again. */
Test(watching, revisions_of_the_daemon_before_are_not_taken_for_this_ones)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    client = connect_lasting();
    keep(client, "ends");
    keep(client, "stays");
    mb_block_watch *watch = watch_names(client, "");
    EXPECT_NEXT(watch, "+ends");
    EXPECT_NEXT(watch, "+stays");
    EXPECT_NOTHING(watch);
    manager_restart(&manager, SIGKILL);
    fixture_wait_connected(client);
    unpublish(client, "ends");
    for (int i = 0; i < 5; i++) {
        keep(client, "comes-and-goes");
        unpublish(client, "comes-and-goes");
    }
    EXPECT_NEXT(watch, "-ends:0");
    EXPECT_NOTHING(watch);
    unpublish(client, "stays");
    EXPECT_NEXT(watch, "-stays:8");
    mb_block_watch_end(watch);
    mb_disconnect(client);
    manager_stop(&manager);
}

/* ---- other users ---- */

enum { ALICE = 4001 };

static int as_alice(int (*body)(const struct fixture *of))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        bool became = setgroups(0, NULL) == 0 && setgid(ALICE) == 0 && setuid(ALICE) == 0;
        _exit(became ? body(&fixture) : 99);
    }
    cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Names that she may not attach show in no list, no change and no count, whatever she asks for. */
static int watch_all(const struct fixture *of)
{
    mb_client *other = fixture_connect(of, 0);
    mb_block_watch *watch = NULL, *guess = NULL;
    if (mb_watch_blocks_of(other, 0, "", &watch) < 0 || mb_watch_blocks_of(other, 0, "secret", &guess) < 0) {
        return 1;
    }
    bool is_right = strcmp(next(watch, 0), "+open") == 0 && strcmp(next(watch, 0), "nothing") == 0 &&
                    strcmp(next(guess, 0), "nothing") == 0;
    mb_block_watch_end(watch);
    mb_block_watch_end(guess);
    mb_disconnect(other);
    return is_right ? 0 : 2;
}

Test(watching, a_block_that_may_not_be_attached_is_never_told)
{
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    begin("");
    cr_assert(chmod(fixture.socket, 0666) == 0);
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.access = MB_ACCESS_ALL;
    mb_block *open = publish_with(client, "open", &options, 1);
    mb_block *secret = publish(client, "secret", 2);
    cr_expect_eq(as_alice(watch_all), 0);
    cr_expect(mb_block_free(open) == 0 && mb_block_free(secret) == 0);
    end();
}
