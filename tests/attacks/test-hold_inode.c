/* SPDX-License-Identifier: Apache-2.0 */
/* The attack itself, on inodes that no broker has: a call that takes the lock waits until the holder lets go. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/attacks/hold_inode.h"
#include "tests/attacks/party.h"

TestSuite(hold_inode, .timeout = 60);

/* By what the kernel says of its state: it sleeps, whether a signal could wake it or not. */
static bool is_waiting(pid_t process)
{
    char path[64], text[256];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", process);
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    const char *at = strrchr(text, ')');
    return at && (strncmp(at, ") D", 3) == 0 || strncmp(at, ") S", 3) == 0);
}

static void expect_waits_until_let_go(struct inode_holder *holder, void (*call)(int fd), int fd)
{
    cr_assert(holder->is_holding, "%s: %s", holder->refused, strerror(holder->error));
    pid_t waiter = fork();
    if (waiter == 0) {
        call(fd);
        _exit(0);
    }
    WAIT_UNTIL(is_waiting(waiter));
    sleep_ms(50); /* for more than an instant */
    cr_expect(is_waiting(waiter));
    (void)inode_holder_end(holder);
    int status;
    cr_expect(waitpid(waiter, &status, 0) == waiter && WIFEXITED(status));
}

static void truncate_it(int fd)
{
    (void)!ftruncate(fd, 0);
}

Test(hold_inode, a_write_to_a_memfd_blocks_a_truncation)
{
    party_needs_fuse();
    cleanup(fd_closep) int fd = memfd_create("held", MFD_CLOEXEC);
    cr_assert(ftruncate(fd, 65536) == 0);
    expect_waits_until_let_go(inode_holder_start(MALLORY, fd, INODE_HELD_BY_WRITE), truncate_it, fd);
    cr_expect_eq(lseek(fd, 0, SEEK_END), 0);
}

Test(hold_inode, a_write_to_a_file_blocks_a_truncation)
{
    char path[] = "/tmp/membroker-held-XXXXXX";
    party_needs_fuse();
    cleanup(fd_closep) int fd = mkstemp(path);
    cr_assert(unlink(path) == 0 && ftruncate(fd, 65536) == 0);
    expect_waits_until_let_go(inode_holder_start(MALLORY, fd, INODE_HELD_BY_WRITE), truncate_it, fd);
}

static void make_in(int directory)
{
    (void)close(openat(directory, "made", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
}

Test(hold_inode, a_directory_listing_blocks_the_creation_of_files_in_it)
{
    char path[] = "/tmp/membroker-held-XXXXXX";
    party_needs_fuse();
    cr_assert(mkdtemp(path) && chmod(path, 0755) == 0);
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    expect_waits_until_let_go(inode_holder_start(MALLORY, fd, INODE_HELD_BY_LISTING), make_in, fd);
    cr_expect(unlinkat(fd, "made", 0) == 0 && rmdir(path) == 0);
}

static void close_it(int fd)
{
    (void)close(fd);
}

Test(hold_inode, a_close_of_a_fuse_file_waits_for_its_server)
{
    party_needs_fuse();
    struct inode_holder *holder = inode_holder_start_file(MALLORY);
    expect_waits_until_let_go(holder, close_it, holder->file);
}
