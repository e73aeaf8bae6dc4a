/* SPDX-License-Identifier: Apache-2.0 */
/* How the daemon knows that a process has ended, and what it needs for that. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

TestSuite(processes, .timeout = 60);

static struct fixture fixture;

static int greeted(void)
{
    struct reply reply;
    int fd = fixture_socket(&fixture);
    cr_assert(fd >= 0 && fixture_hello(fd, false, &reply, NULL) && reply.kind == REPLY_WELCOME);
    return fd;
}

Test(processes, a_session_takes_two_descriptors_of_the_daemon)
{
    enum { SESSIONS = 20 };
    int sessions[SESSIONS];
    fixture_start(&fixture, "");
    cleanup(fd_closep) int first = greeted();
    size_t before = fixture_descriptors(&fixture);
    for (int i = 0; i < SESSIONS; i++) {
        sessions[i] = greeted();
    }
    size_t more = fixture_descriptors(&fixture) - before;
    cr_expect_leq(more, 2 * SESSIONS + 2, "a socket and a control page each, and files that come and go: %zu", more);
    for (int i = 0; i < SESSIONS; i++) {
        (void)close(sessions[i]);
    }
    fixture_stop(&fixture);
}

static void acquire_one(int fd)
{
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    struct reply reply;
    acquire.acquire = (struct acquire_request){.bytes = 65536, .location = LOCATION_RAM, .numa_node = -1};
    cr_assert(fixture_exchange(fd, &acquire, &reply, NULL) && reply.kind == REPLY_GRANT);
}

/* Its session waits for it, without a connection. */
static int hang_up_and_live_on(const struct fixture *of)
{
    int fd = greeted();
    (void)of;
    acquire_one(fd);
    (void)close(fd);
    (void)pause();
    return 0;
}

Test(processes, the_end_of_a_process_without_a_connection_is_noticed_at_once)
{
    fixture_start(&fixture, "[leases]\nreconnect_grace = 60s\ndefault_ttl = 60s\n");
    pid_t child = fixture_fork(hang_up_and_live_on, &fixture);
    WAIT_UNTIL(fixture_status(&fixture).leases == 1);
    sleep_ms(100);
    cr_expect_eq(fixture_status(&fixture).sessions, 1, "it lives");
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    cr_expect_eq(fixture_status(&fixture).counters.died, 1);
    fixture_stop(&fixture);
}

static int resume(uint64_t session, const struct token *token)
{
    struct request hello = {.id = 1, .kind = REQUEST_HELLO};
    struct reply reply;
    int fd = fixture_socket(&fixture);
    hello.hello = (struct hello_request){
        .protocol_min = 1, .protocol_max = 2, .resume = true, .session = session, .token = *token};
    hello.hello.heap_bytes = hello.hello.max_bytes = hello.hello.max_physical_bytes = LIMIT_DEFAULT;
    cr_assert(fixture_exchange(fd, &hello, &reply, NULL));
    cr_assert(reply.kind == REPLY_WELCOME && reply.welcome.resumed, "%s", reply.error.sentence);
    return fd;
}

Test(processes, a_connection_that_came_back_needs_no_watch)
{
    enum { TIMES = 100, STOCK = 64 /* memfds that the first lease brings */ };
    struct reply reply;
    fixture_start(&fixture, "");
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, false, &reply, NULL) && reply.kind == REPLY_WELCOME);
    uint64_t session = reply.welcome.session;
    struct token token = reply.welcome.token;
    acquire_one(fd); /* to come back for */
    size_t before = fixture_descriptors(&fixture);
    for (int i = 0; i < TIMES; i++) {
        (void)close(fd);
        sleep_ms(2);
        fd = resume(session, &token);
    }
    WAIT_UNTIL(fixture_descriptors(&fixture) < before + STOCK + TIMES / 2);
    cr_expect_eq(fixture_status(&fixture).sessions, 1);
    (void)close(fd);
    fixture_stop(&fixture);
}
