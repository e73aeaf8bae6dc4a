/* SPDX-License-Identifier: Apache-2.0 */
/* Each step of making, proving and freeing a file that can be published, with what the step is there to notice. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/block_file.h"
#include "daemon/os/open_file.h"
#include "proto/base/cleanup.h"

enum { BYTES = 65536, OTHER_USER = 65534 };

static int kept = -EBADF, readable = -EBADF, writable = -EBADF;

TestSuite(block_file, .timeout = 20);

static int new_file(void)
{
    char path[] = "/tmp/membroker-block-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    cr_assert(fd >= 0 && unlink(path) == 0 && posix_fallocate(fd, 0, BYTES) == 0);
    return fd;
}

static void make(void)
{
    kept = block_file_open(new_file(), &readable, &writable);
    cr_assert_geq(kept, 0, "%d: the directory of temporary files has file leases", kept);
}

static void close_all(void)
{
    kept = fd_close(kept);
    readable = fd_close(readable);
    writable = fd_close(writable);
}

static int access_of(int fd)
{
    return fcntl(fd, F_GETFL) & O_ACCMODE;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* Returns the limit to be set again. */
static struct rlimit allow_no_descriptors(void)
{
    struct rlimit before, none;
    cr_assert(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 3;
    cr_assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
    return before;
}

/* ---- making ---- */

Test(block_file, what_is_kept_is_for_reading_and_what_borrowers_get_is_the_same_file)
{
    struct stat status[3];
    make();
    cr_expect(block_file_is_one(kept) && !block_file_is_one(writable));
    cr_expect_eq(access_of(kept), O_RDONLY);
    cr_expect_eq(access_of(readable), O_RDONLY);
    cr_expect_eq(access_of(writable), O_RDWR);
    cr_assert(fstat(kept, &status[0]) == 0 && fstat(readable, &status[1]) == 0 && fstat(writable, &status[2]) == 0);
    cr_expect(status[0].st_ino == status[1].st_ino && status[0].st_ino == status[2].st_ino);
    close_all();
}

/* What this file system would answer to a proof can't be trusted. */
static void expect_no_file(int fd, int error, const char *what)
{
    int before = open_descriptors();
    cr_expect_eq(block_file_open(fd, &readable, &writable), error, "%s", what);
    cr_expect_eq(open_descriptors(), before - 1, "%s: the descriptor is closed, and no other one stays", what);
}

Test(block_file, a_file_system_whose_leases_tell_nothing_is_refused)
{
    int ends[2], file = new_file();
    int for_reading = open_file_again(file, O_RDONLY);
    (void)close(file);
    expect_no_file(for_reading, -ENOLCK, "it does not see that somebody can write");
    file = new_file();
    expect_no_file(dup(file), -ENOLCK, "it sees a writer after the last one is gone");
    (void)close(file);
    cr_assert(pipe2(ends, O_CLOEXEC) == 0);
    expect_no_file(ends[0], -ENOLCK, "it has no leases");
    (void)close(ends[1]);
}

/* That passes, so that nobody may be told to move the directory. */
Test(block_file, without_a_descriptor_left_the_file_system_is_not_blamed)
{
    struct rlimit limit, few;
    cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int file = new_file();
    few = limit;
    for (rlim_t left = 0; left < 3; left++) {
        few.rlim_cur = (rlim_t)file + 1 + left;
        cr_assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
        cr_expect_eq(block_file_open(file, &readable, &writable), -EMFILE, "with %d left", (int)left);
        cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        cr_expect_eq(new_file(), file, "all are closed");
    }
    (void)close(file);
}

/* ---- the proof ---- */

static void give_up_writing(void)
{
    writable = fd_close(writable);
}

Test(block_file, is_proved_again_and_again_if_nobody_can_write)
{
    make();
    cr_expect_eq(block_file_prove(kept, BYTES), -EBUSY, "its maker can write");
    give_up_writing();
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(block_file_prove(kept, BYTES), 0);
    }
    cr_expect_eq(fcntl(kept, F_GETLEASE), F_UNLCK, "no lease stays, whose break brings a signal");
    int again = open_file_again(readable, O_RDWR);
    cr_expect_geq(again, 0);
    (void)close(again);
    close_all();
}

Test(block_file, is_not_proved_while_a_mapping_can_write)
{
    make();
    void *address = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, writable, 0);
    cr_assert(address != MAP_FAILED);
    give_up_writing();
    cr_expect_eq(block_file_prove(kept, BYTES), -EBUSY);
    cr_assert(munmap(address, BYTES) == 0);
    cr_expect_eq(block_file_prove(kept, BYTES), 0);
    close_all();
}

Test(block_file, is_not_proved_without_a_descriptor_for_it)
{
    make();
    give_up_writing();
    struct rlimit limit = allow_no_descriptors();
    int result = block_file_prove(kept, BYTES);
    cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    cr_expect_eq(result, -EMFILE);
    close_all();
}

enum { CUT, EXTENDED, PUNCHED, BEYOND, CHANGES };

static void change(int how)
{
    int result = how == CUT        ? ftruncate(writable, BYTES - 1)
                 : how == EXTENDED ? posix_fallocate(writable, 0, BYTES + 4096)
                 : how == PUNCHED  ? fallocate(writable, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096)
                                   : fallocate(writable, FALLOC_FL_KEEP_SIZE, BYTES, BYTES);
    cr_assert_eq(result, 0, "%d", how);
}

Test(block_file, is_not_proved_if_its_length_or_its_blocks_changed)
{
    for (int how = 0; how < CHANGES; how++) {
        make();
        change(how);
        give_up_writing();
        cr_expect_eq(block_file_prove(kept, BYTES), -EPERM, "%d", how);
        close_all();
    }
}

/* ---- freeing ---- */

static bool holds_blocks(int fd)
{
    struct stat status;
    cr_assert(fstat(fd, &status) == 0);
    return status.st_size || status.st_blocks;
}

Test(block_file, its_blocks_are_free_at_once_though_a_reader_maps_it)
{
    struct inode_view view;
    make();
    give_up_writing();
    void *address = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, readable, 0);
    cr_assert(address != MAP_FAILED);
    cr_expect_eq(block_file_empty(kept, &view), 0);
    cr_expect(view.size == BYTES && view.allocated >= BYTES && !view.goes_beyond, "as it came back");
    cr_expect_not(holds_blocks(readable));
    cr_expect_eq(block_file_prove(kept, 0), 0, "no descriptor for writing stays");
    close_all();
}

/* A borrower of the daemon's own user can change the mode, and root's processes ignore it. */
Test(block_file, is_emptied_whatever_its_mode_is_now)
{
    struct inode_view view;
    if (geteuid() == 0) {
        cr_assert(setresuid(OTHER_USER, OTHER_USER, OTHER_USER) == 0);
    }
    make();
    give_up_writing();
    cr_assert(fchmod(readable, 0) == 0);
    cr_expect_eq(block_file_empty(kept, &view), 0);
    cr_expect_not(holds_blocks(readable));
    close_all();
}

/* The kernel has a writer wait for the holder of a lease, for 45 seconds if nobody changed that. */
Test(block_file, a_borrowers_lease_is_not_waited_for_and_keeps_it)
{
    struct inode_view view;
    make();
    give_up_writing();
    (void)signal(SIGIO, SIG_IGN);
    cr_assert(fcntl(readable, F_SETLEASE, F_RDLCK) == 0);
    cr_expect_eq(block_file_empty(kept, &view), -EPERM);
    cr_expect(view.size == BYTES && holds_blocks(readable));
    cr_expect_eq(fcntl(readable, F_SETLEASE, F_UNLCK), 0);
    cr_expect_eq(block_file_empty(kept, &view), 0);
    cr_expect_not(holds_blocks(readable));
    close_all();
}

/* Here it can't be opened again for want of a descriptor; a borrower's lease or an execution do the same. */
Test(block_file, what_can_not_be_emptied_is_free_only_if_no_borrower_is_left)
{
    struct inode_view view;
    make();
    give_up_writing();
    struct rlimit limit = allow_no_descriptors();
    cr_expect_eq(block_file_empty(kept, &view), -EPERM);
    readable = fd_close(readable);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(block_file_empty(kept, &view), 0, "closing the descriptor frees it");
    }
    cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    cr_expect(view.size == BYTES && holds_blocks(kept));
    cr_expect_eq(fcntl(kept, F_GETLEASE), F_UNLCK, "the question leaves no lease");
    close_all();
}
