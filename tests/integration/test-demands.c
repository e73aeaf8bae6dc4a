/* SPDX-License-Identifier: Apache-2.0 */
/* What one user can demand of the daemon: its descriptors, its memory, its time. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/transport.h"
#include "tests/integration/fixture.h"

TestSuite(demands, .timeout = 60);

static struct fixture fixture;

static int greeted(void)
{
    struct reply reply;
    int control;
    int fd = fixture_socket(&fixture);
    cr_assert(fd >= 0 && fixture_hello(fd, false, &reply, &control) && reply.kind == REPLY_WELCOME);
    (void)close(control);
    return fd;
}

Test(demands, a_session_that_holds_nothing_keeps_no_descriptors)
{
    fixture_start(&fixture, "[leases]\nreconnect_grace = 1h\n");
    size_t before = fixture_descriptors(&fixture);
    for (int i = 0; i < 200; i++) {
        (void)close(greeted());
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    WAIT_UNTIL(fixture_status(&fixture).control_bytes == 0);
    WAIT_UNTIL(fixture_descriptors(&fixture) <= before);
    fixture_stop(&fixture);
}

Test(demands, sessions_of_a_user_are_limited_and_a_refused_client_may_retry)
{
    struct reply reply;
    fixture_start(&fixture, "[clients]\nmax_sessions_per_user = 2\n");
    cleanup(fd_closep) int one = greeted();
    int two = greeted();
    cleanup(fd_closep) int three = fixture_socket(&fixture);
    for (int i = 0; i < 10; i++) {
        cr_assert(fixture_hello(three, false, &reply, NULL) && reply.kind == REPLY_ERROR);
        cr_expect_eq(reply.error.code, ERROR_TOO_MANY);
        cr_expect(strstr(reply.error.sentence, "max_sessions_per_user"), "%s", reply.error.sentence);
    }
    size_t refused = fixture_descriptors(&fixture);
    (void)close(two);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 1);
    cr_assert(fixture_hello(three, false, &reply, NULL) && reply.kind == REPLY_WELCOME);
    WAIT_UNTIL(fixture_descriptors(&fixture) <= refused - 2); /* socket and control page of the second */
    fixture_stop(&fixture);
}

/* The grant of a request for either location on that node, which then spills where the host has no such node. */
static enum location granted_on_node(int fd, int32_t node)
{
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    struct reply reply;
    int segment = -EBADF;
    acquire.acquire = (struct acquire_request){.bytes = 4096, .location = LOCATION_AUTO, .numa_node = node};
    cr_assert(fixture_exchange(fd, &acquire, &reply, &segment));
    cr_assert(reply.kind == REPLY_GRANT, "%s", reply.error.sentence);
    (void)close(segment);
    return reply.grant.location;
}

Test(demands, segments_that_go_to_a_file_are_not_in_progress_forever)
{
    fixture_start(&fixture, "[clients]\nmax_requests = 2\nmax_requests_per_user = 3\n");
    cleanup(fd_closep) int one = greeted();
    cleanup(fd_closep) int two = greeted();
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(granted_on_node(one, 1000), LOCATION_MMAP, "no host has so many nodes");
        (void)granted_on_node(one, 1);
    }
    cr_expect_eq(granted_on_node(two, -1), LOCATION_RAM, "the user's other sessions are served");
    cr_expect_eq(granted_on_node(one, -1), LOCATION_RAM);
    fixture_stop(&fixture);
}

/* ---- descriptors in flight ---- */

static bool ask_for_lease(int fd)
{
    struct request acquire = {.kind = REQUEST_ACQUIRE, .id = 7};
    acquire.acquire = (struct acquire_request){.bytes = 4096, .location = LOCATION_RAM, .numa_node = -1};
    return fixture_send(fd, &acquire);
}

/* The packets that wait in the socket now, with their descriptors. */
static size_t drain(int fd)
{
    static uint8_t packet[1 << 16];
    struct packet_descriptors descriptors;
    size_t count = 0;
    while (transport_receive(fd, packet, sizeof packet, &descriptors, false) > 0) {
        count++;
        if (descriptors.count) {
            (void)close(descriptors.fd[0]);
        }
    }
    return count;
}

Test(demands, few_descriptors_are_in_flight_to_a_client_that_does_not_receive)
{
    enum { LEASES = 100, MOST = 64 };
    size_t received;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = greeted();
    for (int i = 0; i < LEASES; i++) {
        cr_assert(ask_for_lease(fd));
    }
    WAIT_UNTIL(fixture_status(&fixture).leases == LEASES);
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    received = drain(fd);
    cr_expect(received >= 1 && received <= MOST, "%zu", received);
    cr_assert(kill(fixture.daemon, SIGCONT) == 0);
    WAIT_UNTIL((received += drain(fd)) == LEASES);
    (void)fd_close(fd);
    fd = -1;
    fixture_stop(&fixture);
}

Test(demands, a_connection_that_ended_counts_until_its_descriptors_are_received)
{
    struct request bye = {.kind = REQUEST_BYE};
    struct reply reply;
    int fds[3];
    fixture_start(&fixture, "[clients]\nmax_connections = 5\n");
    for (int i = 0; i < 3; i++) {
        fds[i] = greeted();
        cr_assert(ask_for_lease(fds[i]) && fixture_send(fds[i], &bye));
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    cleanup(fd_closep) int fourth = fixture_socket(&fixture);
    cr_assert(fixture_hello(fourth, true, &reply, NULL) && reply.kind == REPLY_WELCOME);
    cleanup(fd_closep) int fifth = fixture_socket(&fixture);
    cr_assert(fixture_hello(fifth, true, &reply, NULL) && reply.kind == REPLY_WELCOME);
    cleanup(fd_closep) int sixth = fixture_socket(&fixture);
    cr_assert(fixture_receive(sixth, &reply, NULL) && reply.kind == REPLY_ERROR);
    cr_expect(strstr(reply.error.sentence, "max_connections"), "%s", reply.error.sentence);
    cr_expect_eq(drain(fds[0]), 1, "the grant is there still");
    (void)close(fds[1]);
    (void)close(fds[2]);
    for (bool is_welcome = false; !is_welcome;) { /* as soon as the daemon has looked */
        cleanup(fd_closep) int next = fixture_socket(&fixture);
        is_welcome = fixture_hello(next, true, &reply, NULL) && reply.kind == REPLY_WELCOME;
        sleep_ms(5);
    }
    (void)close(fds[0]);
    (void)fd_close(fourth);
    fourth = -1;
    fixture_stop(&fixture);
}

/* ---- memory and time ---- */

Test(demands, queued_answers_of_a_users_clients_are_bounded_together)
{
    enum { EACH = 660 << 10, LEASES = 200 };
    static uint8_t packet[1 << 16];
    struct request acquire = {.kind = REQUEST_ACQUIRE}, list = {.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}};
    struct reply reply;
    int monitors[2];
    size_t answers[2] = {0, 0};
    fixture_start(&fixture, "[clients]\nmax_unread_per_user = 600K\n");
    cleanup(fd_closep) int holder = greeted();
    acquire.acquire = (struct acquire_request){.bytes = 4096, .location = LOCATION_RAM, .numa_node = -1};
    (void)memset(acquire.acquire.name, 'n', MESSAGE_NAME_SIZE - 1);
    for (int i = 0; i < LEASES; i++) {
        int segment = -1;
        cr_assert(fixture_exchange(holder, &acquire, &reply, &segment) && reply.kind == REPLY_GRANT);
        (void)close(segment);
    }
    for (int i = 0; i < 2; i++) {
        monitors[i] = fixture_socket(&fixture);
        cr_assert(fixture_hello(monitors[i], true, &reply, NULL) && reply.kind == REPLY_WELCOME);
    }
    list.id = 1;
    cr_assert(fixture_send(monitors[0], &list));
    size_t asked = EACH / (size_t)recv(monitors[0], packet, sizeof packet, 0);
    for (int i = 0; i < 2; i++) {
        struct request ping = {.kind = REQUEST_PING};
        for (size_t j = 0; j < asked; j++) {
            (void)fixture_send(monitors[i], &list);
        }
        for (size_t j = 0; j < 2 * asked; j++) { /* between two of its pings each user has had a turn */
            cr_assert(fixture_exchange(holder, &ping, &reply, NULL));
        }
    }
    for (int i = 0; i < 2; i++) {
        while (answers[i] < asked && recv(monitors[i], packet, sizeof packet, 0) > 0) {
            answers[i]++;
        }
        (void)close(monitors[i]);
    }
    cr_expect_eq(answers[0], asked, "the first is within the bound");
    cr_expect_lt(answers[1], asked, "the second is what was too much");
    fixture_stop(&fixture);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Test(demands, a_users_messages_are_counted_across_all_its_connections)
{
    enum { CONNECTIONS = 5, MESSAGES = 500 };
    struct request ping = {.kind = REQUEST_PING};
    struct reply reply;
    int fds[CONNECTIONS];
    fixture_start(&fixture, "[clients]\nmax_messages_per_user = 100\n");
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = fixture_socket(&fixture);
        cr_assert(fixture_hello(fds[i], true, &reply, NULL));
    }
    double begun = seconds();
    for (int i = 0; i < MESSAGES; i++) {
        cr_assert(fixture_exchange(fds[i % CONNECTIONS], &ping, &reply, NULL));
    }
    cr_expect_gt(seconds() - begun, 2.0, "five seconds' worth, each begun second counts");
    for (int i = 0; i < CONNECTIONS; i++) {
        (void)close(fds[i]);
    }
    fixture_write_config(&fixture, "");
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    fixture_stop(&fixture);
}

/* What is seen is the order in which the daemon serves, not how fast: each answer to the crowd says whether the lease
 * was granted before. */
Test(demands, many_clients_of_one_user_do_not_delay_another_user)
{
    enum { CROWD = 400, EACH = 4, ALICE = 4001 };
    struct request status = {.kind = REQUEST_STATUS, .id = 9};
    struct reply reply;
    static int crowd[CROWD];
    size_t before = 0, all = 0;
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    fixture_start(&fixture, "");
    cr_assert(chmod(fixture.socket, 0666) == 0);
    cleanup(fd_closep) int other = greeted();
    cr_assert(seteuid(ALICE) == 0);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = fixture_socket(&fixture);
        cr_assert(fixture_hello(crowd[i], true, &reply, NULL) && reply.kind == REPLY_WELCOME);
    }
    cr_assert(seteuid(0) == 0);
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    for (int i = 0; i < CROWD * EACH; i++) {
        cr_assert(fixture_send(crowd[i % CROWD], &status));
    }
    cr_assert(ask_for_lease(other), "the last of all");
    cr_assert(kill(fixture.daemon, SIGCONT) == 0);
    for (int i = 0; i < CROWD * EACH; i++) {
        cr_assert(fixture_receive(crowd[i % CROWD], &reply, NULL) && reply.kind == REPLY_STATUS);
        before += reply.status.leases == 0;
        all++;
    }
    cr_expect_lt(before, all / 2, "%zu of %zu", before, all);
    for (int i = 0; i < CROWD; i++) {
        (void)close(crowd[i]);
    }
    fixture_stop(&fixture);
}
