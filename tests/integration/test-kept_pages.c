/* SPDX-License-Identifier: Apache-2.0 */
/* Control pages of ended sessions: kept while a client has one in any way, and given back then. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/control_page.h"
#include "proto/transport.h"
#include "tests/integration/fixture.h"
#include "tests/integration/worker_points.h"

TestSuite(kept_pages, .timeout = 120);

enum { PAGE = 4096, SLOTS = (PAGE - CONTROL_HEADER_BYTES) / CONTROL_SLOT_BYTES };

static struct fixture fixture;

static bool say_hello(int socket, uint32_t protocol, const struct welcome_reply *resumed, struct reply *ret,
                      int *ret_control)
{
    struct request hello = {.kind = REQUEST_HELLO};
    hello.hello = (struct hello_request){.protocol_min = 1, .protocol_max = protocol, .name = "kept"};
    hello.hello.heap_bytes = hello.hello.max_bytes = hello.hello.max_physical_bytes = LIMIT_DEFAULT;
    if (resumed) {
        hello.hello.resume = true;
        hello.hello.session = resumed->session;
        hello.hello.token = resumed->token;
    }
    return fixture_exchange(socket, &hello, ret, ret_control);
}

static void say_bye(int socket)
{
    struct request bye = {.kind = REQUEST_BYE};
    struct reply reply;
    cr_assert(fixture_exchange(socket, &bye, &reply, NULL));
}

/* A session that has come and gone. Returns the page that it left its client. */
static int left_page(void)
{
    struct reply reply;
    int page;
    cleanup(fd_closep) int socket = fixture_socket(&fixture);
    cr_assert(say_hello(socket, 2, NULL, &reply, &page) && reply.kind == REPLY_WELCOME && page >= 0);
    say_bye(socket);
    return page;
}

static uint64_t control_bytes(void)
{
    return fixture_status(&fixture).control_bytes;
}

Test(kept_pages, many_sessions_leave_nothing_behind)
{
    enum { SESSIONS = 1500, AT_ONCE = 100 };
    int sockets[AT_ONCE], pages[AT_ONCE];
    struct reply reply;
    fixture_start(&fixture, "");
    WAIT_UNTIL(control_bytes() == 0);
    size_t before = fixture_descriptors(&fixture);
    for (int i = 0; i < SESSIONS / AT_ONCE; i++) {
        for (int j = 0; j < AT_ONCE; j++) {
            sockets[j] = fixture_socket(&fixture);
            cr_assert(say_hello(sockets[j], 2, NULL, &reply, &pages[j]) && reply.kind == REPLY_WELCOME);
        }
        for (int j = 0; j < AT_ONCE; j++) {
            (void)close(sockets[j]);
            (void)close(pages[j]);
        }
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    WAIT_UNTIL(control_bytes() == 0);
    WAIT_UNTIL(fixture_descriptors(&fixture) <= before);
    fixture_stop(&fixture);
}

/* ---- the ways in which a client can have one ---- */

static void *address;
static int pair[2];
static pid_t holder;

static void by_descriptor(int page)
{
    pair[0] = dup(page);
}

static void release_descriptor(void)
{
    (void)close(pair[0]);
}

static void by_mapping(int page)
{
    address = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, page, 0);
    cr_assert(address != MAP_FAILED);
}

static void by_private_mapping(int page)
{
    address = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, page, 0);
    cr_assert(address != MAP_FAILED);
}

static void release_mapping(void)
{
    (void)munmap(address, PAGE);
}

static void by_reopening(int page)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", page);
    pair[0] = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(pair[0] >= 0);
}

static void by_other_process(int page)
{
    (void)page;
    holder = fork();
    if (holder == 0) {
        (void)pause();
        _exit(0);
    }
}

static void release_other_process(void)
{
    (void)kill(holder, SIGKILL);
    (void)waitpid(holder, NULL, 0);
}

static void by_queue_of_socket(int page)
{
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    cr_assert(transport_send(pair[0], (const uint8_t *)"", 1, page, true) == 0);
}

static void release_queue_of_socket(void)
{
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static const struct {
    const char *name;
    void (*hold)(int page);
    void (*release)(void);
} ways[] = {
    {"a descriptor", by_descriptor, release_descriptor},
    {"a mapping", by_mapping, release_mapping},
    {"a private mapping", by_private_mapping, release_mapping},
    {"another open file", by_reopening, release_descriptor},
    {"another process's descriptor", by_other_process, release_other_process},
    {"a message in a socket", by_queue_of_socket, release_queue_of_socket},
};

/* Pages that were released one after the other are freed: so the daemon asked about the held one as well. */
static void expect_kept(const char *name)
{
    for (int i = 0; i < 5; i++) {
        struct reply reply;
        int page, other;
        cleanup(fd_closep) int socket = fixture_socket(&fixture);
        cleanup(fd_closep) int beside = fixture_socket(&fixture);
        cr_assert(say_hello(socket, 2, NULL, &reply, &page) && say_hello(beside, 2, NULL, &reply, &other));
        cr_assert(page >= 0 && other >= 0);
        say_bye(socket);
        say_bye(beside);
        (void)close(page);
        (void)close(other);
        WAIT_UNTIL(control_bytes() <= PAGE);
        cr_expect_eq(control_bytes(), PAGE, "held by %s", name);
    }
}

Test(kept_pages, a_page_is_kept_and_counted_however_a_client_holds_it)
{
    fixture_start(&fixture, "");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        int page = left_page();
        ways[i].hold(page);
        (void)close(page);
        expect_kept(ways[i].name);
        ways[i].release();
        WAIT_UNTIL(control_bytes() == 0);
    }
    fixture_stop(&fixture);
}

static void have_again(int *first, int *again)
{
    struct stat left, got = {0};
    *first = left_page();
    *again = -EBADF;
    cr_assert(fstat(*first, &left) == 0);
    for (int i = 0; i < 200 && got.st_ino != left.st_ino; i++) { /* it may be asked about just now */
        (void)fd_close(*again);
        *again = left_page();
        cr_assert(fstat(*again, &got) == 0);
    }
    cr_assert_eq(got.st_ino, left.st_ino, "it was never had again");
    WAIT_UNTIL(control_bytes() <= PAGE);
}

/* A page that two sessions had is free when both clients have released it. */
Test(kept_pages, a_reused_page_is_kept_while_either_client_has_it)
{
    int first, again;
    fixture_start(&fixture, "");
    have_again(&first, &again);
    (void)close(again);
    expect_kept("the first client");
    (void)close(first);
    WAIT_UNTIL(control_bytes() == 0);
    have_again(&first, &again);
    (void)close(first);
    expect_kept("the second client");
    (void)close(again);
    WAIT_UNTIL(control_bytes() == 0);
    fixture_stop(&fixture);
}

/* Pages that are being asked about are the daemon's when it ends, and those that are to be asked about stay so. */
Test(kept_pages, a_daemon_ends_during_a_query)
{
    enum { ROUNDS = 8, PAGES = 20 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        int pages[PAGES];
        fixture_start(&fixture, "");
        for (int i = 0; i < PAGES; i++) {
            pages[i] = left_page();
        }
        sleep_ms(round * 4);
        fixture_stop(&fixture);
        for (int i = 0; i < PAGES; i++) {
            (void)close(pages[i]);
        }
    }
}

/* Other work of its user may keep the worker from its answer, for as long as a client likes. */
Test(kept_pages, one_that_a_worker_has_emptied_is_no_difference)
{
    worker_points_begin();
    worker_hold_at("ask");
    fixture_start(&fixture, "");
    (void)close(left_page());
    WAIT_UNTIL(worker_is_held_at("ask"));
    cr_expect_eq(control_bytes(), PAGE, "it is the ledger's until the worker answers");
    fixture_audit_inside(&fixture);
    worker_let_go_from("ask");
    WAIT_UNTIL(control_bytes() == 0);
    fixture_audit_inside(&fixture);
    worker_points_end();
    fixture_stop(&fixture);
}

/* ---- bounds ---- */

enum { DAEMON = 4150, HOARDER = 4200, HONEST = 4600, DESCRIPTORS = 256, HOARD = 48 /* a quarter of 192 */ };

static int greet_as(uid_t uid, struct reply *ret, int *ret_page)
{
    cr_assert(seteuid(uid) == 0);
    int socket = fixture_socket(&fixture);
    cr_assert(socket >= 0 && say_hello(socket, 2, NULL, ret, ret_page));
    cr_assert(seteuid(0) == 0);
    return socket;
}

static void greet_many_as(uid_t uid, int *sockets, int *pages, int count)
{
    struct reply reply;
    for (int i = 0; i < count; i++) {
        sockets[i] = greet_as(uid, &reply, &pages[i]);
        cr_assert_eq(reply.kind, REPLY_WELCOME, "%s", reply.kind == REPLY_ERROR ? reply.error.sentence : "");
    }
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
}

Test(kept_pages, if_many_pages_are_kept_a_user_gets_only_a_few_new_ones)
{
    int sockets[HOARD], pages[HOARD], honest[4], honest_pages[4];
    struct reply reply;
    if (geteuid() != 0) {
        cr_skip("being many users needs root");
    }
    fixture_prepare(&fixture, "");
    cr_assert(chown(fixture.directory, DAEMON, DAEMON) == 0 && chmod(fixture.config, 0644) == 0);
    fixture.uid = DAEMON;
    fixture.descriptors = DESCRIPTORS;
    fixture_launch(&fixture);
    cr_assert(chmod(fixture.socket, 0666) == 0);
    greet_many_as(HOARDER, sockets, pages, HOARD);
    close_all(sockets, HOARD);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    greet_many_as(HONEST, honest, honest_pages, 4);
    int refused = greet_as(HONEST, &reply, NULL);
    cr_assert(reply.kind == REPLY_ERROR && reply.error.code == ERROR_TOO_MANY);
    cr_expect(strstr(reply.error.sentence, "48 control pages of ended sessions are still held"), "%s",
              reply.error.sentence);
    close_all(pages, HOARD);
    WAIT_UNTIL(control_bytes() == UINT64_C(4) * PAGE);
    (void)close(refused);
    refused = greet_as(HONEST, &reply, NULL);
    cr_expect_eq(reply.kind, REPLY_WELCOME);
    (void)close(refused);
    close_all(honest, 4);
    close_all(honest_pages, 4);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    fixture_stop(&fixture);
}

/* ---- protocols ---- */

static struct welcome_reply fill_first_page_and_break(void)
{
    struct reply reply;
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    cleanup(fd_closep) int socket = fixture_socket(&fixture);
    cr_assert(say_hello(socket, 2, NULL, &reply, NULL) && reply.kind == REPLY_WELCOME);
    struct welcome_reply welcome = reply.welcome;
    acquire.acquire = (struct acquire_request){.bytes = PAGE, .location = LOCATION_RAM, .numa_node = -1};
    for (int i = 0; i <= SLOTS; i++) {
        cr_assert(fixture_exchange(socket, &acquire, &reply, NULL) && reply.kind == REPLY_GRANT);
    }
    return welcome;
}

/* It would get pages in events that it does not know. */
Test(kept_pages, a_session_with_more_than_one_page_is_not_resumed_with_protocol_1)
{
    struct reply reply;
    fixture_start(&fixture, "");
    struct welcome_reply welcome = fill_first_page_and_break();
    cleanup(fd_closep) int socket = fixture_socket(&fixture);
    cr_assert(say_hello(socket, 1, &welcome, &reply, NULL));
    cr_assert(reply.kind == REPLY_ERROR && reply.error.code == ERROR_PROTOCOL_VERSION);
    cr_expect(strstr(reply.error.sentence, "resume it with protocol 2"), "%s", reply.error.sentence);
    cr_assert(say_hello(socket, 2, &welcome, &reply, NULL));
    cr_expect(reply.kind == REPLY_WELCOME && reply.welcome.resumed && fixture_status(&fixture).leases == SLOTS + 1);
    say_bye(socket);
    fixture_stop(&fixture);
}

/* An O_PATH descriptor keeps the inode, and the kernel does not say so: what counts is that it keeps no memory. */
Test(kept_pages, a_page_that_is_only_held_by_path_has_no_memory)
{
    char path[64];
    struct stat status;
    fixture_start(&fixture, "");
    int page = left_page();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", page);
    cleanup(fd_closep) int kept = open(path, O_PATH | O_CLOEXEC);
    cr_assert(kept >= 0 && fstat(kept, &status) == 0);
    cr_expect_gt(status.st_blocks, 0, "it has memory while it is counted");
    (void)close(page);
    WAIT_UNTIL(control_bytes() == 0);
    cr_expect(fstat(kept, &status) == 0 && status.st_blocks == 0, "%ld blocks are left", (long)status.st_blocks);
    fixture_stop(&fixture);
}
