/* SPDX-License-Identifier: Apache-2.0 */
/* Control pages: small at first, grown as leases need slots, counted to the byte, bounded, and never freed unseen. */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/control_page.h"
#include "tests/integration/manager.h"

enum { PAGE = 4096, SLOTS = (PAGE - CONTROL_HEADER_BYTES) / CONTROL_SLOT_BYTES, STRANGER = 4003 };

TestSuite(control_pages, .timeout = 60);

/* ---- by hand ---- */

static bool say_hello(int socket, uint32_t protocol, struct reply *ret, int *ret_control)
{
    struct request hello = {.kind = REQUEST_HELLO};
    hello.hello = (struct hello_request){.protocol_min = 1, .protocol_max = protocol, .name = "pages"};
    hello.hello.heap_bytes = hello.hello.max_bytes = hello.hello.max_physical_bytes = LIMIT_DEFAULT;
    return fixture_exchange(socket, &hello, ret, ret_control);
}

static void ask_for_lease(int socket, uint64_t id)
{
    struct request request = {.id = id, .kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = PAGE, .location = LOCATION_RAM, .numa_node = -1};
    cr_assert(fixture_send(socket, &request));
}

/* What the kernel has allocated for it. */
static uint64_t allocated(int fd)
{
    struct stat status;
    cr_assert(fstat(fd, &status) == 0);
    return (uint64_t)status.st_blocks * 512;
}

static const struct control_page *map_page(int fd, size_t bytes)
{
    void *address = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert(address != MAP_FAILED);
    return address;
}

/* Acquires until the session's first page is full; gives the newest grant. */
static struct grant_reply fill_first_page(int socket)
{
    struct grant_reply grant = {0};
    for (int i = 0; i < SLOTS; i++) {
        struct reply reply;
        ask_for_lease(socket, 1000);
        cr_assert(fixture_receive(socket, &reply, NULL) && reply.kind == REPLY_GRANT);
        grant = reply.grant;
    }
    return grant;
}

Test(control_pages, another_page_comes_before_the_grant_that_needs_it)
{
    struct fixture fixture;
    struct reply reply;
    int first = -EBADF, second = -EBADF;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int socket = fixture_socket(&fixture);
    cr_assert(say_hello(socket, 2, &reply, &first) && reply.kind == REPLY_WELCOME);
    cr_expect(reply.welcome.control_bytes == PAGE && reply.welcome.protocol == 2);
    cr_expect_eq(allocated(first), PAGE, "every page exists, and no other");
    cr_expect_eq(fixture_status(&fixture).control_bytes, PAGE);
    cr_expect_eq(fill_first_page(socket).slot, SLOTS - 1);
    ask_for_lease(socket, 1001);
    cr_assert(fixture_receive(socket, &reply, &second) && reply.kind == EVENT_CONTROL_PAGE);
    cr_expect(reply.control_page.bytes == PAGE && reply.control_page.first_slot == SLOTS);
    cr_expect_eq(reply.control_page.slots, SLOTS);
    cr_assert(fixture_receive(socket, &reply, NULL) && reply.kind == REPLY_GRANT);
    const struct control_page *page = map_page(second, PAGE);
    cr_expect(page->first_slot == SLOTS && reply.grant.slot == SLOTS);
    cr_expect_eq(page->slot[0].generation, reply.grant.generation);
    cr_assert(fixture_revoke(&fixture, reply.grant.lease) == ERROR_UNSPECIFIED);
    cr_expect_eq(page->slot[0].end_reason, END_REVOKED);
    cr_expect_eq(fixture_status(&fixture).control_bytes, 2 * PAGE, "%lu",
                 (unsigned long)fixture_status(&fixture).control_bytes);
    fixture_audit(&fixture);
    (void)close(first);
    (void)close(second);
    fixture_stop(&fixture);
}

Test(control_pages, a_client_of_protocol_1_has_one_page)
{
    struct fixture fixture;
    struct reply reply;
    int first = -EBADF;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int socket = fixture_socket(&fixture);
    cr_assert(say_hello(socket, 1, &reply, &first) && reply.kind == REPLY_WELCOME);
    cr_expect(reply.welcome.protocol == 1 && reply.welcome.control_bytes == CONTROL_WHOLE_BYTES, "what it may map");
    struct grant_reply grant = fill_first_page(socket);
    cr_expect_eq(map_page(first, CONTROL_WHOLE_BYTES)->slot[grant.slot].generation, grant.generation);
    ask_for_lease(socket, 1001);
    cr_assert(fixture_receive(socket, &reply, NULL));
    cr_expect(reply.kind == REPLY_ERROR && reply.error.code == ERROR_TOO_MANY);
    cr_expect(strstr(reply.error.sentence, "252 leases"), "%s", reply.error.sentence);
    (void)close(first);
    fixture_stop(&fixture);
}

static ino_t inode_of(int fd)
{
    struct stat status;
    cr_assert(fstat(fd, &status) == 0);
    return status.st_ino;
}

enum { TIMES = 100 };

/* The newest generation that an earlier session had in the same page; 0: it is another page. */
static uint64_t generation_before(const int *kept, const uint64_t *generations, int now)
{
    for (int i = now - 1; i >= 0; i--) {
        if (inode_of(kept[i]) == inode_of(kept[now])) {
            return generations[i];
        }
    }
    return 0;
}

/* A client that keeps the pages of ended sessions makes the daemon keep no more than it needed at the same time. */
Test(control_pages, sessions_that_come_and_go_reuse_the_same_page)
{
    struct fixture fixture;
    struct reply reply;
    int kept[TIMES];
    uint64_t generations[TIMES];
    fixture_start(&fixture, "");
    for (int i = 0; i < TIMES; i++) {
        struct request bye = {.kind = REQUEST_BYE};
        cleanup(fd_closep) int socket = fixture_socket(&fixture);
        cr_assert(say_hello(socket, 2, &reply, &kept[i]) && reply.kind == REPLY_WELCOME);
        ask_for_lease(socket, 1000);
        cr_assert(fixture_receive(socket, &reply, NULL) && reply.kind == REPLY_GRANT);
        generations[i] = reply.grant.generation;
        cr_expect_gt(generations[i], generation_before(kept, generations, i), "as it was in another session");
        cr_assert(fixture_exchange(socket, &bye, &reply, NULL));
        WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0); /* until then its page is needed */
    }
    cr_expect_leq(fixture_status(&fixture).control_bytes, TIMES / 2 * PAGE,
                  "some ended sessions were not forgotten yet");
    fixture_audit(&fixture);
    for (int i = 0; i < TIMES; i++) {
        (void)close(kept[i]);
    }
    fixture_stop(&fixture);
}

/* ---- bounds ---- */

static void expect_refusal(const struct fixture *fixture, const char *word)
{
    struct reply reply;
    cleanup(fd_closep) int socket = fixture_socket(fixture);
    cr_assert(say_hello(socket, 2, &reply, NULL) && reply.kind == REPLY_ERROR);
    cr_expect_eq(reply.error.code, ERROR_TOO_MANY);
    cr_expect(strstr(reply.error.sentence, word), "%s", reply.error.sentence);
}

Test(control_pages, the_users_limit_is_named)
{
    struct fixture fixture;
    struct reply reply;
    int sockets[3];
    fixture_start(&fixture, "[clients]\nmax_control_bytes_per_user = 12K\n");
    for (int i = 0; i < 3; i++) {
        sockets[i] = fixture_socket(&fixture);
        cr_assert(say_hello(sockets[i], 2, &reply, NULL) && reply.kind == REPLY_WELCOME);
    }
    expect_refusal(&fixture, "12 KiB of control pages, and [clients] max_control_bytes_per_user allows 12 KiB");
    (void)fill_first_page(sockets[0]);
    ask_for_lease(sockets[0], 1001);
    cr_assert(fixture_receive(sockets[0], &reply, NULL) && reply.kind == REPLY_ERROR);
    cr_expect(strstr(reply.error.sentence, "max_control_bytes_per_user"), "%s", reply.error.sentence);
    (void)close(sockets[2]);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 2);
    sockets[2] = fixture_socket(&fixture);
    cr_expect(say_hello(sockets[2], 2, &reply, NULL) && reply.kind == REPLY_WELCOME, "the page is had again");
    for (int i = 0; i < 3; i++) {
        (void)close(sockets[i]);
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0 || fixture_status(&fixture).sessions == 1);
    fixture_discard(&fixture);
}

static int be_welcome(const struct fixture *fixture)
{
    struct reply reply;
    bool became = setgroups(0, NULL) == 0 && setgid(STRANGER) == 0 && setuid(STRANGER) == 0;
    cleanup(fd_closep) int socket = became ? fixture_socket(fixture) : -EBADF;
    return socket >= 0 && say_hello(socket, 2, &reply, NULL) && reply.kind == REPLY_WELCOME ? 0 : 1;
}

Test(control_pages, no_user_can_take_all_control_pages)
{
    struct fixture fixture;
    struct reply reply;
    int sockets[16], status;
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    fixture_start(&fixture, "[clients]\nmax_control_bytes = 64K\n");
    cr_assert(chmod(fixture.socket, 0666) == 0);
    for (int i = 0; i < 16; i++) {
        sockets[i] = fixture_socket(&fixture);
        cr_assert(say_hello(sockets[i], 2, &reply, NULL) && reply.kind == REPLY_WELCOME);
    }
    expect_refusal(&fixture, "[clients] max_control_bytes allows 64 KiB");
    pid_t stranger = fixture_fork(be_welcome, &fixture);
    cr_assert(waitpid(stranger, &status, 0) == stranger);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "another user is let in");
    for (int i = 0; i < 16; i++) {
        (void)close(sockets[i]);
    }
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    fixture_stop(&fixture);
}

/* ---- by the library, and over restarts ---- */

enum { LEASES = 600 }; /* three pages */

static void acquire_all(mb_client *client, mb_lease **leases)
{
    for (int i = 0; i < LEASES; i++) {
        cr_assert(mb_acquire(client, PAGE, NULL, &leases[i]) == 0, "%d: %s", i, mb_last_error());
    }
}

static void expect_alive_but(mb_lease **leases, int lost)
{
    for (int i = 0; i < LEASES; i++) {
        cr_expect_eq(mb_lease_check(leases[i]), i == lost ? -ESTALE : 0, "lease %d", i);
    }
}

Test(control_pages, the_library_sees_every_lease_of_many)
{
    struct fixture fixture;
    mb_lease *leases[LEASES];
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    acquire_all(client, leases);
    expect_alive_but(leases, -1);
    cr_assert(fixture_revoke(&fixture, mb_lease_id(leases[LEASES - 1])) == ERROR_UNSPECIFIED);
    expect_alive_but(leases, LEASES - 1);
    cr_expect_eq(fixture_status(&fixture).control_bytes, 4 * PAGE);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

static struct manager manager;

Test(control_pages, all_pages_outlive_restarts)
{
    struct fixture fixture;
    mb_lease *leases[LEASES];
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    mb_client *client = fixture_connect(&fixture, 0);
    acquire_all(client, leases);
    for (int round = 0; round < 2; round++) {
        int lost = LEASES - 1 - round * 300;
        manager_restart(&manager, SIGKILL);
        fixture_wait_connected(client);
        expect_alive_but(leases, round == 0 ? -1 : LEASES - 1);
        cr_expect_eq(fixture_status(&fixture).control_bytes, 4 * PAGE);
        cr_assert(fixture_revoke(&fixture, mb_lease_id(leases[lost])) == ERROR_UNSPECIFIED);
        cr_expect_eq(mb_lease_check(leases[lost]), -ESTALE, "%d", lost);
        fixture_audit(&fixture);
    }
    mb_disconnect(client);
    WAIT_UNTIL(manager_stored(&manager) == 2); /* the table and the history */
    manager_stop(&manager);
}

/* A daemon of before had one sparse page of 256 KiB for each session, and its clients know no other. */
static int make_page_of_before(int today)
{
    static struct {
        struct control_page header;
        struct control_slot slots[CONTROL_SLOTS_MAX];
    } whole;
    char first[PAGE];
    cr_assert(pread(today, first, PAGE, 0) == PAGE);
    memcpy(&whole, first, PAGE);
    whole.header.slots = CONTROL_SLOTS_MAX;
    int fd = memfd_create("membroker:control", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    cr_assert(fd >= 0 && ftruncate(fd, CONTROL_WHOLE_BYTES) == 0 && pwrite(fd, &whole, PAGE, 0) == PAGE);
    return fd;
}

static int stored_page(char *name, size_t size)
{
    int fd = -1;
    (void)pthread_mutex_lock(&manager.lock);
    for (size_t i = 0; i < manager.stored && fd < 0; i++) {
        if (manager.store[i].name[0] == 'c') {
            fd = manager.store[i].fd;
            (void)snprintf(name, size, "%s", manager.store[i].name);
        }
    }
    (void)pthread_mutex_unlock(&manager.lock);
    cr_assert(fd >= 0);
    return fd;
}

Test(control_pages, the_page_of_the_previous_daemon_is_taken_over)
{
    struct fixture fixture;
    char name[32];
    mb_lease *leases[LEASES];
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    mb_client *client = fixture_connect(&fixture, 0);
    cr_assert(mb_acquire(client, PAGE, NULL, &leases[0]) == 0);
    WAIT_UNTIL(manager_stored(&manager) == 4); /* the table, the history, the page and the segment */
    int before = make_page_of_before(stored_page(name, sizeof name));
    manager_replace(&manager, name, before);
    manager_restart(&manager, SIGKILL);
    fixture_wait_connected(client);
    cr_expect_eq(mb_lease_check(leases[0]), 0);
    cr_expect_eq(fixture_status(&fixture).control_bytes, PAGE, "small again");
    cr_expect_eq(allocated(before), PAGE, "what was not there was not made by looking");
    cr_assert(mb_release(leases[0]) == 0);
    mb_disconnect(client);
    manager_stop(&manager);
}
