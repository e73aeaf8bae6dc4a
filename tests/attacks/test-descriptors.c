/* SPDX-License-Identifier: Apache-2.0 */
/* Unexpected descriptors that clients send. A process that closes one may have to wait for its sender. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/attacks/hold_inode.h"
#include "tests/attacks/party.h"
#include "tests/faults/fault_control.h"

TestSuite(descriptors, .timeout = 120);

enum { SENT_TOGETHER = 16, FILLING_BYTES = 8 << 20, LINGERING = 10 };

static struct fixture fixture;

/* The first call of this kind that the daemon makes fails: there the kernel is asked to refuse what clients send. */
static void be_an_older_kernel(void)
{
    static struct fault_control *control;
    static char path[] = "/tmp/membroker-attack-XXXXXX", preload[640];
    int fd = mkstemp(path);
    fixture_program("tests/preload.so", preload, sizeof preload);
    if (access(preload, R_OK) < 0) {
        cr_skip("a sanitizer has this build");
    }
    cr_assert(fd >= 0 && ftruncate(fd, sizeof *control) == 0);
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    cr_assert(control != MAP_FAILED);
    atomic_store(&control->call, FAULT_setsockopt);
    atomic_store(&control->error, ENOPROTOOPT);
    atomic_store(&control->countdown, 1);
    (void)setenv(FAULT_CONTROL, path, 1);
    (void)setenv("LD_PRELOAD", preload, 1);
    fixture_start(&fixture, "");
    (void)unsetenv("LD_PRELOAD");
    (void)unlink(path);
    cr_assert_eq(atomic_load(&control->countdown), 0, "the kernel is not asked");
    cr_assert(chmod(fixture.socket, 0666) == 0);
}

static void begin(bool is_older)
{
    party_needs_fuse();
    if (is_older) {
        be_an_older_kernel();
    } else {
        fixture_start(&fixture, "");
        cr_assert(chmod(fixture.socket, 0666) == 0);
    }
}

/* A packet that no client sends, with copies of the descriptor. Returns 0, or the errno: the kernel refuses to send.
 */
static int send_copies(int socket, int fd, size_t count)
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(SENT_TOGETHER * sizeof(int))];
    } control = {.header = {CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    for (size_t i = 0; i < count; i++) {
        memcpy(CMSG_DATA(&control.header) + i * sizeof fd, &fd, sizeof fd);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

static void expect_served(void)
{
    struct party alice = party_join(&fixture, ALICE);
    party_works(&alice);
    party_leave(&alice);
}

static void expect_nothing_blocks(int fd, size_t count)
{
    struct party alice = party_join(&fixture, ALICE), mallory = party_join(&fixture, MALLORY);
    (void)send_copies(mallory.socket, fd, count);
    party_works(&alice);
    party_leave(&mallory);
    party_works(&alice);
    party_leave(&alice);
}

static void expect_no_close_blocks(bool is_older)
{
    begin(is_older);
    struct inode_holder *holder = inode_holder_start_file(MALLORY);
    cr_assert(holder->file >= 0, "%s", holder->refused);
    expect_nothing_blocks(holder->file, 1);
    expect_nothing_blocks(holder->file, SENT_TOGETHER);
    (void)inode_holder_end(holder);
    fixture_stop(&fixture);
}

Test(descriptors, a_file_whose_close_never_returns)
{
    expect_no_close_blocks(false);
}

Test(descriptors, a_file_whose_close_never_returns_on_an_older_kernel)
{
    expect_no_close_blocks(true);
}

static void expect_unread_ones_do_not_block(bool is_older)
{
    begin(is_older);
    struct inode_holder *holder = inode_holder_start_file(MALLORY);
    cleanup(fd_closep) int stranger = fixture_socket(&fixture); /* has sent no hello */
    for (int i = 0; i < 100 && send_copies(stranger, holder->file, 1) == 0; i++) {
    }
    (void)fd_close(fd_steal(&stranger));
    expect_served();
    (void)inode_holder_end(holder);
    fixture_stop(&fixture);
}

Test(descriptors, descriptors_that_are_not_received_before_the_connection_ends)
{
    expect_unread_ones_do_not_block(false);
}

Test(descriptors, descriptors_that_are_not_received_on_an_older_kernel)
{
    expect_unread_ones_do_not_block(true);
}

/* A connection over the loopback whose other end reads nothing, full of what was written to it. */
static int full_connection(int *ret_other)
{
    static char filling[FILLING_BYTES];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    cleanup(fd_closep) int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(listening, (const struct sockaddr *)&address, sizeof address) == 0 && listen(listening, 1) == 0);
    cr_assert(getsockname(listening, (struct sockaddr *)&address, &size) == 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    *ret_other = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    while (send(fd, filling, sizeof filling, MSG_DONTWAIT) > 0) {
    }
    return fd;
}

static void set_linger(int fd, int seconds)
{
    const struct linger linger = {1, seconds};
    cr_assert(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
}

/* The only reference is in a packet to the broker. Returns the other end of the connection. */
static int send_lingering(struct party *mallory, bool is_read)
{
    int other, fd = full_connection(&other);
    set_linger(fd, 3600);
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    if (!is_read) { /* the connection ends with what comes first */
        cr_assert(send(mallory->socket, "", 0, MSG_NOSIGNAL) == 0);
    }
    if (send_copies(mallory->socket, fd, 1) != 0) {
        set_linger(fd, 0); /* the kernel refuses to send */
    }
    (void)close(fd);
    cr_assert(kill(fixture.daemon, SIGCONT) == 0);
    return other;
}

/* Whoever drops the last reference lingers: the one who throws the packet away, or closes the socket that it is in. */
static void expect_no_lingering(bool is_older, bool is_read)
{
    int others[LINGERING];
    begin(is_older);
    struct party alice = party_join(&fixture, ALICE);
    for (int i = 0; i < LINGERING; i++) { /* more than once: some of it is a race */
        struct party mallory = party_join(&fixture, MALLORY + 100 + (uid_t)i);
        others[i] = send_lingering(&mallory, is_read);
        cr_assert(party_ping(&alice));
        party_leave(&mallory);
        cr_assert(party_ping(&alice));
    }
    party_works(&alice);
    for (int i = 0; i < LINGERING; i++) {
        (void)close(others[i]); /* which resets the connection */
    }
    party_leave(&alice);
    fixture_stop(&fixture);
}

Test(descriptors, a_connection_that_lingers)
{
    expect_no_lingering(false, true);
}

Test(descriptors, a_connection_that_lingers_on_an_older_kernel)
{
    expect_no_lingering(true, true);
}

Test(descriptors, a_connection_that_lingers_unread)
{
    expect_no_lingering(false, false);
}

Test(descriptors, a_connection_that_lingers_unread_on_an_older_kernel)
{
    expect_no_lingering(true, false);
}
