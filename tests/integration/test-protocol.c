/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol as PROTOCOL.md has it, spoken by hand: what ends a connection and what does not, descriptors, resuming.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/codec.h"
#include "proto/control_page.h"
#include "proto/transport.h"
#include "tests/integration/fixture.h"

#define MIB UINT64_C(1048576)

TestSuite(protocol, .timeout = 60);

static int greeted(const struct fixture *fixture, struct reply *welcome, int *ret_control)
{
    int fd = fixture_socket(fixture);
    cr_assert(fd >= 0 && fixture_hello(fd, false, welcome, ret_control) && welcome->kind == REPLY_WELCOME);
    return fd;
}

/* Expects an error that answers no request, then the end. */
static void expect_end(int fd, enum error_code code)
{
    struct reply reply;
    cr_assert(fixture_receive(fd, &reply, NULL), "hung up without a reason");
    cr_expect_eq(reply.kind, REPLY_ERROR);
    cr_expect_eq(reply.error.code, code, "%d: %s", (int)reply.error.code, reply.error.sentence);
    cr_expect(!reply.is_answer && strlen(reply.error.sentence) > 10);
    cr_expect(!fixture_receive(fd, &reply, NULL), "the connection goes on");
}

static void send_bytes(int fd, const void *bytes, size_t count)
{
    cr_assert(transport_send(fd, bytes, count, -EBADF, true) == 0);
}

Test(protocol, invalid_packets_end_the_connection_with_a_reason)
{
    static uint8_t large[FRAME_BYTES_MAX + 100];
    static const struct {
        const char *what;
        size_t bytes;
        uint8_t packet[12];
        enum error_code code;
    } cases[] = {
        {"empty", 0, {0}, ERROR_MALFORMED},
        {"shorter than its header", 3, {1, 0, 0}, ERROR_MALFORMED},
        {"shorter than promised", 6, {200, 0, 0, 0, 8, 1}, ERROR_MALFORMED},
        {"longer than promised", 8, {1, 0, 0, 0, 8, 1, 1, 1}, ERROR_MALFORMED},
        {"garbage", 8, {4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, ERROR_MALFORMED},
        {"an absurd length", 8, {0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 4}, ERROR_OVERSIZED},
    };
    struct fixture fixture;
    fixture_start(&fixture, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply reply;
        cleanup(fd_closep) int fd = greeted(&fixture, &reply, NULL);
        send_bytes(fd, cases[i].packet, cases[i].bytes);
        expect_end(fd, cases[i].code);
    }
    struct reply reply;
    cleanup(fd_closep) int fd = greeted(&fixture, &reply, NULL);
    frame_write_header(large, MESSAGE_BYTES_MAX);
    send_bytes(fd, large, sizeof large);
    expect_end(fd, ERROR_OVERSIZED);
    fixture_stop(&fixture);
}

Test(protocol, the_handshake_comes_first_and_once)
{
    struct fixture fixture;
    struct reply reply;
    struct request ping = {.kind = REQUEST_PING}, hello = {.kind = REQUEST_HELLO};
    fixture_start(&fixture, "");
    cleanup(fd_closep) int early = fixture_socket(&fixture);
    cr_expect(!fixture_exchange(early, &ping, &reply, NULL));
    cr_expect(reply.kind == REPLY_ERROR && reply.error.code == ERROR_NOT_GREETED);
    cleanup(fd_closep) int twice = greeted(&fixture, &reply, NULL);
    cr_expect(!fixture_hello(twice, false, &reply, NULL));
    cr_expect(reply.kind == REPLY_ERROR && reply.error.code == ERROR_NOT_GREETED);
    cleanup(fd_closep) int modern = fixture_socket(&fixture);
    hello.hello.protocol_min = 3;
    hello.hello.protocol_max = 9;
    cr_expect(!fixture_exchange(modern, &hello, &reply, NULL));
    cr_expect(reply.kind == REPLY_ERROR && reply.error.code == ERROR_PROTOCOL_VERSION, "%s", reply.error.sentence);
    cr_expect(strstr(reply.error.sentence, "3 to 9"), "%s", reply.error.sentence);
    fixture_stop(&fixture);
}

Test(protocol, an_unknown_request_gets_an_error_and_the_connection_continues)
{
    /* id 77; field 99, a message of no bytes: a request of a later version */
    static const uint8_t unknown[] = {5, 0, 0, 0, 0x08, 77, 0x9a, 0x06, 0};
    struct fixture fixture;
    struct reply reply;
    struct request ping = {.kind = REQUEST_PING};
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = greeted(&fixture, &reply, NULL);
    send_bytes(fd, unknown, sizeof unknown);
    cr_assert(fixture_receive(fd, &reply, NULL));
    cr_expect(reply.is_answer && reply.reply_to == 77);
    cr_expect_eq(reply.error.code, ERROR_UNKNOWN_REQUEST);
    cr_expect(fixture_exchange(fd, &ping, &reply, NULL) && reply.kind == REPLY_PONG);
    fixture_stop(&fixture);
}

/* Names are C strings everywhere but on the wire: "a\0b" and "a\0c" would be one file. */
Test(protocol, a_nul_inside_a_name_is_refused)
{
    static struct codec_arena arena;
    uint8_t frame[FRAME_BYTES_MAX];
    struct fixture fixture;
    struct reply reply;
    struct request ping = {.kind = REQUEST_PING};
    struct request acquire = {.id = 9, .kind = REQUEST_ACQUIRE};
    acquire.acquire = (struct acquire_request){.bytes = MIB, .location = LOCATION_RAM, .numa_node = -1, .name = "aXb"};
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = greeted(&fixture, &reply, NULL);
    int bytes = codec_encode_request(&acquire, &arena, frame);
    cr_assert(bytes > 0);
    uint8_t *mark = memchr(frame, 'X', (size_t)bytes);
    cr_assert(mark);
    *mark = '\0';
    send_bytes(fd, frame, (size_t)bytes);
    cr_assert(fixture_receive(fd, &reply, NULL));
    cr_expect(reply.kind == REPLY_ERROR && reply.error.code == ERROR_INVALID && reply.reply_to == 9);
    cr_expect(strstr(reply.error.sentence, "NUL"), "%s", reply.error.sentence);
    cr_expect(fixture_exchange(fd, &ping, &reply, NULL) && reply.kind == REPLY_PONG);
    fixture_stop(&fixture);
}

Test(protocol, bad_values_get_an_error_and_the_connection_continues)
{
    struct fixture fixture;
    struct reply reply;
    struct request request = {.kind = REQUEST_ACQUIRE};
    struct acquire_request good = {.bytes = MIB, .location = LOCATION_RAM, .numa_node = -1, .name = "good"};
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = greeted(&fixture, &reply, NULL);
    struct acquire_request bad[8] = {good, good, good, good, good, good, good, good};
    bad[0].bytes = 0;
    bad[1].location = (enum location)77;
    (void)strcpy(bad[2].name, "bell\a");
    (void)strcpy(bad[3].name, "\xc3(");
    bad[4].ttl_ms = 1;
    bad[5].has_huge_pages = true;
    bad[5].huge_pages = (enum huge_pages)9;
    (void)strcpy(bad[6].name, "lp\xe2\x80\xae"
                              "c.exe"); /* an order to read from right to left */
    (void)strcpy(bad[7].name, "\xef\xbb\xbf");
    for (size_t i = 0; i < 8; i++) {
        request.acquire = bad[i];
        cr_assert(fixture_exchange(fd, &request, &reply, NULL), "case %zu", i);
        cr_expect(reply.kind == REPLY_ERROR && reply.error.code == ERROR_INVALID, "case %zu: kind %d", i,
                  (int)reply.kind);
    }
    request.acquire = good;
    cr_expect(fixture_exchange(fd, &request, &reply, NULL) && reply.kind == REPLY_GRANT);
    cleanup(fd_closep) int monitor = fixture_socket(&fixture);
    cr_assert(fixture_hello(monitor, true, &reply, NULL));
    cr_expect(fixture_exchange(monitor, &request, &reply, NULL) && reply.error.code == ERROR_MONITOR);
    (void)fd_close(fd);
    fixture_stop(&fixture);
}

/* A ping with so many descriptors. False: the kernel refuses to send any to the broker (Linux 6.16 and later). */
static bool send_with_descriptors(int fd, size_t count)
{
    enum { MOST = 253 /* the kernel's own maximum */ };
    static uint8_t ping[] = {4, 0, 0, 0, 0x08, 1, 0x52, 0};
    static union {
        char space[CMSG_SPACE(MOST * sizeof(int))];
        struct cmsghdr align;
    } control;
    int fds[MOST];
    struct iovec vector = {.iov_base = ping, .iov_len = sizeof ping};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    for (size_t i = 0; i < MOST; i++) {
        fds[i] = STDERR_FILENO;
    }
    control.align =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int))};
    memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    cr_assert(sent == (ssize_t)sizeof ping || (sent < 0 && errno == EPERM));
    return sent > 0;
}

/* How many descriptors the daemon has while this monitor is connected and nothing else happens. */
static size_t descriptors_beside(const struct fixture *fixture, int monitor)
{
    struct request ping = {.kind = REQUEST_PING};
    struct reply reply;
    cr_assert(fixture_exchange(monitor, &ping, &reply, NULL));
    return fixture_descriptors(fixture);
}

Test(protocol, unexpected_descriptors_never_arrive_or_end_the_connection)
{
    static const size_t counts[] = {1, 16, 17, 253};
    struct fixture fixture;
    struct reply reply;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int beside = fixture_socket(&fixture);
    cr_assert(fixture_hello(beside, true, &reply, NULL));
    size_t before = descriptors_beside(&fixture, beside);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int fd = fixture_socket(&fixture);
        cr_assert(fixture_hello(fd, true, &reply, NULL));
        if (send_with_descriptors(fd, counts[i])) {
            expect_end(fd, ERROR_MALFORMED);
        } else {
            struct request ping = {.kind = REQUEST_PING};
            cr_expect(fixture_exchange(fd, &ping, &reply, NULL), "the connection goes on");
        }
        (void)close(fd);
        WAIT_UNTIL(descriptors_beside(&fixture, beside) <= before);
    }
    fixture_stop(&fixture);
}

Test(protocol, a_segment_is_sealed_and_the_control_page_read_only)
{
    struct fixture fixture;
    struct reply reply;
    struct request request = {.kind = REQUEST_ACQUIRE};
    struct stat status;
    int control, segment;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = greeted(&fixture, &reply, &control);
    request.acquire = (struct acquire_request){.bytes = MIB + 1, .location = LOCATION_RAM, .numa_node = -1};
    cr_assert(fixture_exchange(fd, &request, &reply, &segment) && reply.kind == REPLY_GRANT);
    cr_expect_eq(reply.grant.bytes, MIB + 4096);
    cr_assert(fstat(segment, &status) == 0);
    cr_expect_eq((uint64_t)status.st_size, MIB + 4096);
    cr_expect_eq(status.st_mode & 07777, 0600);
    int seals = fcntl(segment, F_GET_SEALS);
    cr_expect_eq(seals & (F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_WRITE), F_SEAL_GROW | F_SEAL_SEAL);
    cr_expect(ftruncate(segment, 2 * (off_t)MIB) < 0 && errno == EPERM);
    cr_expect(fcntl(segment, F_ADD_SEALS, F_SEAL_SHRINK) < 0 && errno == EPERM);

    cr_expect(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, control, 0) == MAP_FAILED);
    cr_expect(write(control, "x", 1) < 0);
    const struct control_page *page = mmap(NULL, CONTROL_WHOLE_BYTES, PROT_READ, MAP_SHARED, control, 0);
    cr_assert(page != MAP_FAILED);
    cr_expect_eq(page->slot[reply.grant.slot].generation, reply.grant.generation);
    uint32_t slot = reply.grant.slot;
    uint64_t generation = reply.grant.generation;
    cr_assert(fixture_revoke(&fixture, reply.grant.lease) == ERROR_UNSPECIFIED);
    cr_expect_eq(page->slot[slot].generation, generation + 1);
    cr_expect_eq(page->slot[slot].end_reason, END_REVOKED);
    WAIT_UNTIL(fstat(segment, &status) == 0 && status.st_size == 0);

    request.acquire.location = LOCATION_MMAP;
    (void)fd_close(segment);
    cr_assert(fixture_exchange(fd, &request, &reply, &segment) && reply.kind == REPLY_GRANT);
    cr_assert(fstat(segment, &status) == 0);
    cr_expect_eq(status.st_nlink, 0, "it has no name");
    cr_expect_geq((uint64_t)status.st_blocks * 512, MIB + 4096, "every block is allocated");
    (void)fd_close(segment);
    (void)fd_close(control);
    fixture_stop(&fixture);
}

static bool resume(int fd, uint64_t session, struct token token, struct reply *reply, int *control)
{
    struct request hello = {.kind = REQUEST_HELLO};
    hello.hello = (struct hello_request){
        .protocol_min = 1, .protocol_max = 1, .resume = true, .session = session, .token = token};
    return fixture_exchange(fd, &hello, reply, control);
}

Test(protocol, a_session_is_resumed_only_with_its_token)
{
    struct fixture fixture;
    struct reply reply;
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    fixture_start(&fixture, "");
    cleanup(fd_closep) int first = greeted(&fixture, &reply, NULL);
    uint64_t session = reply.welcome.session;
    struct token token = reply.welcome.token, wrong = token;
    wrong.bytes[15] ^= 1;
    acquire.acquire = (struct acquire_request){.bytes = MIB, .numa_node = -1};
    cr_assert(fixture_exchange(first, &acquire, &reply, NULL) && reply.kind == REPLY_GRANT);
    cleanup(fd_closep) int second = fixture_socket(&fixture);
    cr_assert(resume(second, session, wrong, &reply, NULL));
    cr_expect(reply.kind == REPLY_ERROR && reply.error.code == ERROR_NO_SUCH_SESSION);
    cr_assert(resume(second, session, token, &reply, NULL), "another hello may follow on the same connection");
    cr_expect(reply.kind == REPLY_WELCOME && reply.welcome.resumed && reply.welcome.session == session);
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    expect_end(first, ERROR_REPLACED);
    struct request list = {.kind = REQUEST_LIST, .list = {.what = LIST_OWN_LEASES}};
    cr_assert(fixture_exchange(second, &list, &reply, NULL));
    cr_expect_eq(reply.listing.lease_count, 1);
    fixture_stop(&fixture);
}

Test(protocol, listings_come_in_pages_and_name_each_lease_once)
{
    struct fixture fixture;
    struct reply reply;
    struct request acquire = {.kind = REQUEST_ACQUIRE}, list = {.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}};
    size_t seen = 0, pages = 0;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = greeted(&fixture, &reply, NULL);
    acquire.acquire = (struct acquire_request){.bytes = 1, .numa_node = -1};
    (void)memset(acquire.acquire.name, 'n', MESSAGE_NAME_SIZE - 1);
    for (int i = 0; i < 450; i++) {
        cr_assert(fixture_exchange(fd, &acquire, &reply, NULL) && reply.kind == REPLY_GRANT);
    }
    do {
        cr_assert(fixture_exchange(fd, &list, &reply, NULL) && reply.kind == REPLY_LISTING);
        pages++;
        for (size_t i = 0; i < reply.listing.lease_count; i++) {
            cr_assert_gt(reply.listing.leases[i].lease, list.list.after);
            list.list.after = reply.listing.leases[i].lease;
            seen++;
        }
    } while (reply.listing.more);
    cr_expect_eq(seen, 450);
    cr_expect_eq(pages, 3);
    fixture_stop(&fixture);
}

/* How many entries a page of this kind has if so many are asked for, and whether others follow. */
static size_t entries_in_page(int fd, enum list_what what, uint32_t most, bool *ret_more)
{
    struct reply reply;
    struct request list = {.kind = REQUEST_LIST, .list = {.what = what, .most = most}};
    cr_assert(fixture_exchange(fd, &list, &reply, NULL) && reply.kind == REPLY_LISTING);
    const struct listing_reply *page = &reply.listing;
    *ret_more = page->more;
    return page->session_count + page->lease_count + page->queue_count + page->reservation_count + page->usage_count;
}

Test(protocol, a_page_has_no_more_entries_than_were_asked_for)
{
    static const enum list_what kinds[] = {LIST_SESSIONS, LIST_LEASES, LIST_OWN_LEASES, LIST_USAGE};
    struct fixture fixture;
    struct reply reply;
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    bool more;
    fixture_start(&fixture, "[class a]\nclients = a\n");
    cleanup(fd_closep) int first = greeted(&fixture, &reply, NULL);
    cleanup(fd_closep) int second = greeted(&fixture, &reply, NULL);
    acquire.acquire = (struct acquire_request){.bytes = 1, .numa_node = -1};
    for (int i = 0; i < 3; i++) {
        cr_assert(fixture_exchange(second, &acquire, &reply, NULL) && reply.kind == REPLY_GRANT);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t all = entries_in_page(second, kinds[i], 0, &more);
        cr_expect_not(more);
        cr_expect_geq(all, 2);
        cr_expect_eq(entries_in_page(second, kinds[i], 1, &more), 1);
        cr_expect(more);
        cr_expect_eq(entries_in_page(second, kinds[i], UINT32_MAX, &more), all);
        cr_expect_not(more);
    }
    cr_expect_eq(entries_in_page(second, LIST_QUEUE, 1, &more), 0);
    cr_expect_eq(entries_in_page(second, LIST_RESERVATIONS, 1, &more), 0);
    (void)first;
    fixture_stop(&fixture);
}

Test(protocol, a_client_that_never_reads_is_disconnected_and_harms_no_other)
{
    static const uint8_t status[] = {4, 0, 0, 0, 0x08, 1, 0x3a, 0};
    struct fixture fixture;
    struct reply reply;
    int result = 0;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int deaf = greeted(&fixture, &reply, NULL);
    for (int i = 0; i < 100000 && result == 0; i++) {
        result = transport_send(deaf, status, sizeof status, -EBADF, true);
        if (i % 1000 == 0) {
            (void)fixture_status(&fixture);
        }
    }
    cr_expect(result == -EPIPE || result == -ECONNRESET, "%d", result);
    fixture_stop(&fixture);
}

static size_t count_lines(const char *path, const char *word)
{
    char line[2048];
    size_t count = 0;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        count += strstr(line, word) != NULL;
    }
    if (file) {
        (void)fclose(file);
    }
    return count;
}

Test(protocol, a_client_can_not_flood_the_log)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    for (int i = 0; i < 200; i++) {
        char reply[512];
        struct reply welcome;
        int fd = fixture_socket(&fixture);
        cr_assert(i % 2 || fixture_hello(fd, false, &welcome, NULL), "with a session, and without one");
        cr_assert(send(fd, "garbage", 7, MSG_NOSIGNAL) == 7);
        while (recv(fd, reply, sizeof reply, 0) > 0) {
        }
        (void)close(fd);
    }
    size_t lines = count_lines(fixture.log, "disconnected");
    /* a machine that is slow may begin a second budget */
    cr_expect(lines >= 1 && lines <= 45, "%zu lines for 200 of one kind", lines);
    WAIT_UNTIL(count_lines(fixture.log, "lines left out about user") >= 1);
    fixture_stop(&fixture);
}
