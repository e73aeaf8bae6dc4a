/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of private copies of a lease's pages when the lease ends. The kernel's truncation takes the pages of
 * private mappings as well, also those that were written to and so are copies, in every process.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

enum { BYTES = 1 << 20 };

TestSuite(private_copies, .timeout = 60);

/* Whether the byte can be read: the kernel looks, and no signal comes. */
static bool is_there(const char *address)
{
    int ends[2];
    cr_assert(pipe(ends) == 0);
    bool was_written = write(ends[1], address, 1) == 1;
    cr_assert(was_written || errno == EFAULT);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return was_written;
}

static int acquire(int socket, enum location location, uint64_t *ret_lease)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    struct reply reply;
    int fd = -EBADF;
    request.acquire = (struct acquire_request){.bytes = BYTES, .location = location, .numa_node = -1, .name = "copied"};
    cr_assert(fixture_exchange(socket, &request, &reply, &fd) && reply.kind == REPLY_GRANT);
    *ret_lease = reply.grant.lease;
    return fd;
}

static void release(const struct fixture *fixture, int socket, uint64_t lease)
{
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease};
    struct reply reply;
    cr_assert(fixture_exchange(socket, &request, &reply, NULL) && reply.kind == REPLY_DONE);
    WAIT_UNTIL(fixture_status(fixture).used_bytes == 0);
}

/* A child that has what its parent copied, looks at it when it is told to, and dies of what it finds. */
static pid_t fork_reader(const volatile char *copied, int *ret_go)
{
    int go[2];
    char byte;
    cr_assert(pipe(go) == 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(go[1]);
        (void)!read(go[0], &byte, 1);
        (void)signal(SIGBUS, SIG_DFL);
        _exit(*copied);
    }
    (void)close(go[0]);
    *ret_go = go[1];
    return child;
}

static void check_location(enum location location)
{
    struct fixture fixture;
    struct reply reply;
    uint64_t lease;
    int status, go;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int socket = fixture_socket(&fixture);
    cr_assert(fixture_hello(socket, false, &reply, NULL));
    cleanup(fd_closep) int fd = acquire(socket, location, &lease);
    char *shared = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    cr_assert(shared != MAP_FAILED && private != MAP_FAILED);
    memset(shared, 1, BYTES);
    memset(private, 2, BYTES); /* each page is a copy now */
    char elsewhere[16];
    memcpy(elsewhere, shared, sizeof elsewhere);
    pid_t child = fork_reader(private, &go);
    cr_expect(is_there(private) && is_there(shared));
    release(&fixture, socket, lease);
    cr_expect_not(is_there(shared), "a shared mapping outlives the lease");
    cr_expect_not(is_there(private), "a private copy outlives the lease");
    cr_expect_eq(elsewhere[0], 1, "what was copied to other memory is the process's own");
    (void)close(go);
    (void)waitpid(child, &status, 0);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "a forked copy outlives the lease: status %#x",
              status);
    fixture_stop(&fixture);
}

Test(private_copies, private_copies_of_a_memfd_end_with_the_lease)
{
    check_location(LOCATION_RAM);
}

Test(private_copies, private_copies_of_a_file_end_with_the_lease)
{
    check_location(LOCATION_MMAP);
}
