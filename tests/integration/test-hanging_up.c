/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that close the connection during their requests: the daemon is stopped, so that it finds all of it together.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

TestSuite(hanging_up, .timeout = 60);

static struct fixture fixture;

static struct request hello(void)
{
    struct request request = {.kind = REQUEST_HELLO, .id = 1};
    request.hello = (struct hello_request){.protocol_min = 1, .protocol_max = 1, .name = "brief"};
    request.hello.heap_bytes = request.hello.max_bytes = request.hello.max_physical_bytes = LIMIT_DEFAULT;
    return request;
}

static struct request resume(uint64_t session, struct token token)
{
    struct request request = hello();
    request.hello.resume = true;
    request.hello.session = session;
    request.hello.token = token;
    return request;
}

static struct request acquire(void)
{
    struct request request = {.kind = REQUEST_ACQUIRE, .id = 2};
    request.acquire = (struct acquire_request){.bytes = 4096, .location = LOCATION_RAM, .numa_node = -1};
    return request;
}

/* Says all of it and hangs up, while the daemon is stopped; then lets it go on until it has seen to it. */
static void say_and_hang_up(int fd, const struct request *requests, size_t count)
{
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    for (size_t i = 0; i < count; i++) {
        cr_assert(fixture_send(fd, &requests[i]));
    }
    (void)close(fd);
    cr_assert(kill(fixture.daemon, SIGCONT) == 0);
    (void)fixture_status(&fixture);
    cr_assert(waitpid(fixture.daemon, NULL, WNOHANG) == 0, "the daemon ended; its log: %s", fixture.log);
}

Test(hanging_up, after_a_refused_resumption_and_another_hello)
{
    const struct request said[] = {resume(1, (struct token){{0}}), hello()};
    fixture_start(&fixture, "");
    for (int i = 0; i < 60; i++) {
        say_and_hang_up(fixture_socket(&fixture), said, 2);
    }
    fixture_stop(&fixture);
}

Test(hanging_up, after_a_hello_that_is_refused_for_the_number_of_sessions)
{
    const struct request said[] = {hello(), hello(), acquire(), hello()};
    struct reply reply;
    fixture_start(&fixture, "[clients]\nmax_sessions_per_user = 1\n");
    cleanup(fd_closep) int holder = fixture_socket(&fixture);
    cr_assert(fixture_hello(holder, false, &reply, NULL) && reply.kind == REPLY_WELCOME);
    for (int i = 0; i < 20; i++) {
        say_and_hang_up(fixture_socket(&fixture), said, 4);
    }
    fixture_stop(&fixture);
}

Test(hanging_up, after_requests_whose_answers_nobody_reads)
{
    const struct request said[] = {
        hello(), acquire(), {.kind = REQUEST_AUDIT, .id = 3}, acquire(), {.kind = REQUEST_BYE, .id = 4}, acquire()};
    fixture_start(&fixture, "");
    for (size_t i = 1; i <= 24; i++) {
        say_and_hang_up(fixture_socket(&fixture), said, i % 6 + 1);
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0 || fixture_status(&fixture).leases > 0);
    fixture_stop(&fixture);
}

Test(hanging_up, after_its_session_was_resumed_and_released_elsewhere)
{
    struct reply reply;
    fixture_start(&fixture, "");
    for (int i = 0; i < 20; i++) {
        int first = fixture_socket(&fixture), second = fixture_socket(&fixture);
        cr_assert(fixture_hello(first, false, &reply, NULL) && reply.kind == REPLY_WELCOME);
        const struct request said[] = {
            resume(reply.welcome.session, reply.welcome.token), acquire(), {.kind = REQUEST_BYE, .id = 4}, hello()};
        say_and_hang_up(second, said, 4);
        (void)close(first);
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    fixture_stop(&fixture);
}
