/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors on their way to clients that don't receive them: what others, and other answers, have of that. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/frame.h"
#include "proto/transport.h"
#include "tests/integration/fixture.h"

TestSuite(in_flight, .timeout = 60);

enum { OF_CONNECTION = 64 /* in flight at most; 32 threads of one client have room */ };

static struct fixture fixture;

static int greeted(void)
{
    struct reply reply;
    int fd = fixture_socket(&fixture);
    cr_assert(fd >= 0 && fixture_hello(fd, false, &reply, NULL) && reply.kind == REPLY_WELCOME);
    return fd;
}

static void send_kind(int fd, enum request_kind kind, uint64_t id)
{
    struct request request = {.kind = kind, .id = id};
    if (kind == REQUEST_ACQUIRE) {
        request.acquire = (struct acquire_request){.bytes = 4096, .location = LOCATION_RAM, .numa_node = -1};
    } else if (kind == REQUEST_LIST) {
        request.list.what = LIST_OWN_LEASES;
    }
    cr_assert(fixture_send(fd, &request));
}

static void receive(int fd, enum reply_kind kind)
{
    struct reply reply;
    cr_assert(fixture_receive(fd, &reply, NULL));
    cr_expect_eq(reply.kind, kind, "%d came instead of %d", (int)reply.kind, (int)kind);
}

/* Receives grants, and what comes behind them, which is of this kind. Returns how many grants came. */
static int receive_grants_until(int fd, enum reply_kind kind)
{
    struct reply reply;
    int count = 0;
    do {
        cr_assert(fixture_receive(fd, &reply, NULL));
        count += reply.kind == REPLY_GRANT;
    } while (reply.kind == REPLY_GRANT);
    cr_expect_eq(reply.kind, kind, "%d came instead of %d", (int)reply.kind, (int)kind);
    return count;
}

/* Nothing is received until the daemon has served everything. It did not look whether the welcome was received. */
Test(in_flight, messages_without_descriptors_overtake_held_back_grants_except_lists_of_leases)
{
    enum { HELD = 3 };
    struct request status = {.kind = REQUEST_STATUS};
    struct reply reply;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = greeted();
    for (uint64_t id = 1; id <= OF_CONNECTION + HELD; id++) {
        send_kind(fd, REQUEST_ACQUIRE, id);
    }
    WAIT_UNTIL(fixture_status(&fixture).leases == OF_CONNECTION + HELD);
    send_kind(fd, REQUEST_LIST, 100);
    send_kind(fd, REQUEST_PING, 101);
    send_kind(fd, REQUEST_RELEASE, 102);
    cleanup(fd_closep) int beside = greeted();
    for (int i = 0; i < 10; i++) { /* what was sent before has been served then */
        cr_assert(fixture_exchange(beside, &status, &reply, NULL));
    }
    int at_once = receive_grants_until(fd, REPLY_PONG);
    cr_expect(at_once == OF_CONNECTION || at_once == OF_CONNECTION - 1, "%d in flight", at_once);
    receive(fd, REPLY_ERROR);
    cr_expect_eq(at_once + receive_grants_until(fd, REPLY_LISTING), OF_CONNECTION + HELD);
    fixture_stop(&fixture);
}

/* ---- many users ---- */

enum { DESCRIPTORS = 1024, DAEMON = 4100, GREEDY = 9, EACH = 16, FIRST = 4200, HONEST = 4600 };

/* The kernel counts against the daemon's user, and lets root send what it likes: so the daemon is somebody
 * else's, and another's in each test, since several run at once. */
static void start_limited(uid_t daemon)
{
    fixture_prepare(
        &fixture,
        "[limits]\nmax_physical_bytes = 1G\n[leases]\nreconnect_grace = 1s\n[clients]\nmax_connections = 40\n");
    cr_assert(chown(fixture.directory, daemon, daemon) == 0 && chmod(fixture.config, 0644) == 0);
    fixture.uid = daemon;
    fixture.descriptors = DESCRIPTORS;
    fixture_launch(&fixture);
    cr_assert(chmod(fixture.socket, 0666) == 0);
}

/* A hello whose answer is not waited for. */
static int greeting_as(uid_t uid)
{
    struct request hello = {.kind = REQUEST_HELLO, .id = 1};
    hello.hello = (struct hello_request){.protocol_min = 1, .protocol_max = 1};
    hello.hello.heap_bytes = hello.hello.max_bytes = hello.hello.max_physical_bytes = LIMIT_DEFAULT;
    cr_assert(seteuid(uid) == 0);
    int fd = fixture_socket(&fixture);
    cr_assert(seteuid(0) == 0);
    cr_assert(fd >= 0 && fixture_send(fd, &hello));
    return fd;
}

/* Asks for descriptors, receives nothing, and says goodbye: its leases are gone, its socket stays. */
static int take_and_leave(uid_t uid, uint64_t grants)
{
    int fd = greeting_as(uid);
    for (uint64_t id = 2; id <= grants + 1; id++) {
        send_kind(fd, REQUEST_ACQUIRE, id);
    }
    send_kind(fd, REQUEST_BYE, 0);
    return fd;
}

static size_t received_descriptors(int fd)
{
    static uint8_t packet[FRAME_BYTES_MAX];
    struct packet_descriptors descriptors;
    size_t count = 0;
    while (transport_receive(fd, packet, sizeof packet, &descriptors, false) > 0) {
        if (descriptors.count) {
            (void)close(descriptors.fd[0]);
            count++;
        }
    }
    return count;
}

static bool is_granted(int fd)
{
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    struct reply reply;
    int segment = -EBADF;
    acquire.acquire = (struct acquire_request){.bytes = 4096, .location = LOCATION_RAM, .numa_node = -1};
    cr_assert(fixture_exchange(fd, &acquire, &reply, &segment));
    (void)fd_close(segment);
    return reply.kind == REPLY_GRANT;
}

/* Who asks may be turned away while what the greedy ones had is still on its way. */
static bool is_empty(void)
{
    struct status_reply status;
    return fixture_try_status(&fixture, &status) && status.segments == 0;
}

Test(in_flight, users_that_receive_nothing_leave_room_for_an_honest_one)
{
    static int greedy[GREEDY * EACH];
    size_t in_flight = 0;
    if (geteuid() != 0) {
        cr_skip("becoming other users needs root");
    }
    start_limited(DAEMON + 1);
    for (int i = 0; i < GREEDY * EACH; i++) {
        greedy[i] = take_and_leave((uid_t)(FIRST + i % GREEDY), OF_CONNECTION - 1);
        if (i % GREEDY == GREEDY - 1) {
            WAIT_UNTIL(is_empty());
        }
    }
    cr_assert(seteuid(HONEST) == 0);
    for (int i = 0; i < 20; i++) {
        cleanup(fd_closep) int fd = greeted();
        WAIT_UNTIL(is_granted(fd)); /* what the others had may be being freed still */
    }
    cr_assert(seteuid(0) == 0);
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    for (int i = 0; i < GREEDY * EACH; i++) {
        in_flight += received_descriptors(greedy[i]);
        (void)close(greedy[i]);
    }
    cr_assert(kill(fixture.daemon, SIGCONT) == 0);
    cr_expect_leq(in_flight, DESCRIPTORS * 3 / 8, "%zu", in_flight);
    cr_expect_geq(in_flight, DESCRIPTORS / 16, "they were greedy: %zu", in_flight);
    fixture_stop(&fixture);
}

/* Half of 960 descriptors: 64 are the worst's, whose session lives, the rest is four each of a crowd. */
Test(in_flight, a_client_that_receives_nothing_is_disconnected_when_others_have_no_room)
{
    enum { CROWD = 200, FEW = 4, LATE = 80 };
    static int crowd[CROWD], late[LATE];
    int count = 0;
    if (geteuid() != 0) {
        cr_skip("becoming other users needs root");
    }
    start_limited(DAEMON + 2);
    int worst = greeting_as(FIRST);
    for (uint64_t id = 2; id <= OF_CONNECTION; id++) {
        send_kind(worst, REQUEST_ACQUIRE, id);
    }
    WAIT_UNTIL(fixture_status(&fixture).leases == OF_CONNECTION - 1);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = take_and_leave((uid_t)(FIRST + 1 + i), FEW - 1);
        if (i % 20 == 19) {
            WAIT_UNTIL(fixture_status(&fixture).segments == OF_CONNECTION - 1);
        }
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == 1 && fixture_status(&fixture).segments == OF_CONNECTION - 1);
    for (; count < LATE && !fixture_status(&fixture).cut_off; count++) { /* the first of them may find the last room */
        late[count] = greeting_as((uid_t)(HONEST + count));
        sleep_ms(100);
    }
    cr_assert_eq(fixture_status(&fixture).cut_off, 1, "%d more came", count);
    cr_expect_geq(received_descriptors(worst), OF_CONNECTION, "they stay until it closes its socket");
    (void)close(worst);
    for (int i = 0; i < CROWD; i++) {
        (void)close(crowd[i]);
    }
    for (int i = 0; i < count; i++) {
        receive(late[i], REPLY_WELCOME);
        WAIT_UNTIL(is_granted(late[i]));
        (void)close(late[i]);
    }
    fixture_stop(&fixture);
}

/* 200 users with four each would fill everything: a new user waits, but not a user who has received before. */
Test(in_flight, a_client_that_receives_is_served_despite_many_that_do_not)
{
    enum { CROWD = 250, FEW = 4 };
    static int crowd[CROWD];
    if (geteuid() != 0) {
        cr_skip("becoming other users needs root");
    }
    start_limited(DAEMON + 3);
    cr_assert(seteuid(HONEST) == 0);
    int honest = greeted();
    cr_assert(seteuid(0) == 0);
    cr_assert(is_granted(honest));
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = take_and_leave((uid_t)(FIRST + i), FEW - 1);
        if (i % 20 == 19) {
            WAIT_UNTIL(fixture_status(&fixture).segments == 1);
        }
    }
    int newcomer = greeting_as(HONEST + 1);
    for (int i = 0; i < 20; i++) {
        cr_assert(is_granted(honest));
    }
    cr_expect_eq(received_descriptors(newcomer), 0, "it is full, or this tests nothing");
    for (int i = 0; i < CROWD; i++) {
        (void)close(crowd[i]);
    }
    receive(newcomer, REPLY_WELCOME);
    (void)close(newcomer);
    (void)close(honest);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    fixture_stop(&fixture);
}

static int take(uid_t uid, int grants)
{
    int fd = greeting_as(uid);
    for (int id = 2; id <= grants + 1; id++) {
        send_kind(fd, REQUEST_ACQUIRE, (uint64_t)id);
    }
    return fd;
}

static bool is_readable(int fd)
{
    struct pollfd input = {.fd = fd, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

/* Who hears that it was cut off closes its socket, as the library does. */
static int close_ended(int *fds, int count)
{
    int closed = 0;
    for (int i = 0; i < count; i++) {
        if (fds[i] >= 0 && transport_has_ended(fds[i])) {
            fds[i] = fd_close(fds[i]);
            closed++;
        }
    }
    return closed;
}

/* As many as each user may have, until all have half of 960: no user has more than its few. */
Test(in_flight, a_client_with_a_few_unread_for_long_is_disconnected_when_there_is_no_room)
{
    enum {
        FOUR = 90,
        THREE = 10,
        TWO = 15,
        ONE = 60,
        CROWD = FOUR + THREE + TWO + ONE,
        LATE = 12,
        PATIENCE_MS = 60000
    };
    static int crowd[CROWD], late[LATE];
    uint64_t leases = 0;
    int closed = 0;
    if (geteuid() != 0) {
        cr_skip("becoming other users needs root");
    }
    start_limited(DAEMON + 4);
    for (int i = 0; i < CROWD; i++) {
        int grants = i < FOUR ? 3 : i < FOUR + THREE ? 2 : i < FOUR + THREE + TWO ? 1 : 0;
        leases += (uint64_t)grants;
        crowd[i] = take((uid_t)(FIRST + i), grants);
        if (i % 20 == 19) {
            WAIT_UNTIL(fixture_status(&fixture).leases == leases);
        }
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == CROWD);
    for (int i = 0; i < LATE; i++) { /* the first of them find the last room */
        late[i] = greeting_as((uid_t)(HONEST + i));
    }
    for (int i = 0; i < LATE; i++) { /* none is received before all have come */
        for (int waited_ms = 0; waited_ms < PATIENCE_MS && !is_readable(late[i]); waited_ms += 5) {
            closed += close_ended(crowd, CROWD);
            sleep_ms(5);
        }
        cr_assert(is_readable(late[i]), "newcomer %d of %d is not served; %d of the crowd were cut off", i, LATE,
                  closed);
    }
    for (int i = 0; i < LATE; i++) {
        receive(late[i], REPLY_WELCOME);
    }
    cr_expect_gt(closed, 0, "it was full, or this tests nothing");
    cr_expect_geq(fixture_status(&fixture).cut_off, (uint64_t)closed);
    for (int i = 0; i < CROWD; i++) {
        (void)fd_close(crowd[i]);
    }
    for (int i = 0; i < LATE; i++) {
        (void)close(late[i]);
    }
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
}
