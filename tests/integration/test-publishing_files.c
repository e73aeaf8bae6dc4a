/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks in files by a real daemon. What is kept that can write fails the publication, as for memory: the tests of
 * publishing have both locations. Here is what files alone have.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/publishing.h"
#include "tests/integration/small_disk.h"

TestSuite(blocks_files, .timeout = 60);

static struct fixture fixture;
static struct party publisher, reader;

static void open_both(void)
{
    publisher = party_open(&fixture);
    reader = party_open(&fixture);
}

static void begin(const char *settings)
{
    fixture_start(&fixture, settings);
    open_both();
}

static void end(void)
{
    party_close(&publisher);
    party_close(&reader);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_audit(&fixture);
    fixture_stop(&fixture);
}

static struct written write_file(void)
{
    return party_write(&publisher, LOCATION_MMAP, 3);
}

static struct written publish_file(const char *name)
{
    struct written written = write_file();
    written_give_up(&written);
    cr_assert_eq(party_publish(&publisher, &written, name, LIFETIME_SESSION), ERROR_UNSPECIFIED);
    return written;
}

static bool is_all(const uint8_t *data, uint8_t value)
{
    return data[0] == value && memcmp(data, data + 1, BLOCK_BYTES - 1) == 0;
}

static int open_again(int fd, int access)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, access | O_CLOEXEC | O_NONBLOCK);
}

/* ---- what is published ---- */

Test(blocks_files, a_block_in_a_file_is_attached_and_counts_once_as_mapped)
{
    struct block_entry entry;
    begin("");
    struct written written = publish_file("n");
    struct attached attached = party_attach(&reader, "n", 0);
    cr_assert_eq(attached.code, ERROR_UNSPECIFIED);
    cr_expect_eq(attached.reply.location, LOCATION_MMAP);
    cr_expect(is_all(attached.data, 3) && is_all(written.data, 3), "the publisher's address stays");
    cr_assert_eq(party_blocks(&reader, &entry, 1), 1);
    cr_expect(entry.location == LOCATION_MMAP && entry.views == 2 && entry.bytes == BLOCK_BYTES);
    struct status_reply status = fixture_status(&fixture);
    cr_expect(status.used_bytes == BLOCK_BYTES && status.used_mapped_bytes == BLOCK_BYTES);
    fixture_audit(&fixture);
    written_close(&written);
    attached_close(&attached);
    end();
}

/* The daemon opens the file for writing once more, so the bytes are free while a reader has it mapped. */
Test(blocks_files, its_bytes_are_free_when_the_ledger_says_so)
{
    begin("");
    struct written written = publish_file("n");
    struct attached attached = party_attach(&reader, "n", 0);
    cr_assert_eq(party_release(&publisher, written.lease), ERROR_UNSPECIFIED);
    cr_assert_eq(party_release(&reader, attached.reply.lease), ERROR_UNSPECIFIED);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    struct stat status;
    cr_assert_eq(fstat(attached.fd, &status), 0);
    cr_expect(status.st_size == 0 && status.st_blocks == 0);
    written_close(&written);
    attached_close(&attached);
    end();
}

/* Its three descriptors go, whether it was published or not. */
Test(blocks_files, the_daemon_keeps_no_descriptor_of_what_has_ended)
{
    enum { FILES = 8 };
    begin("");
    fixture_audit(&fixture); /* the daemon's threads begin with the first such job, and stay */
    size_t before = fixture_descriptors(&fixture);
    for (int i = 0; i < FILES; i++) {
        struct written written = i % 2 ? publish_file("n") : write_file();
        cr_expect_eq(party_release(&publisher, written.lease), ERROR_UNSPECIFIED);
        written_close(&written);
    }
    WAIT_UNTIL(fixture_descriptors(&fixture) <= before);
    end();
}

/* ---- ways to change it afterwards ---- */

Test(blocks_files, what_readers_and_publishers_have_can_not_write)
{
    begin("");
    struct written written = publish_file("n");
    struct attached attached = party_attach(&reader, "n", 0);
    for (int i = 0; i < 2; i++) {
        int fd = i ? attached.fd : written.readable;
        cr_expect(pwrite(fd, "x", 1, 0) < 0 && ftruncate(fd, 0) < 0 && fallocate(fd, 0, 0, 1 << 21) < 0);
        cr_expect_lt(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
        cr_expect_eq(mmap(NULL, BLOCK_BYTES, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    }
    cr_expect_lt(mprotect(written.data, BLOCK_BYTES, PROT_READ | PROT_WRITE), 0);
    cr_expect_lt(mprotect((void *)(uintptr_t)attached.data, BLOCK_BYTES, PROT_READ | PROT_WRITE), 0);
    cr_expect(is_all(attached.data, 3));
    written_close(&written);
    attached_close(&attached);
    end();
}

/* It has no name in any directory, and no other user may open it by its descriptor. */
Test(blocks_files, another_user_opens_it_neither_for_writing_nor_by_a_name)
{
    int status;
    if (getuid() != 0) {
        cr_skip("this needs another user");
    }
    begin("");
    struct written written = publish_file("n");
    struct attached attached = party_attach(&reader, "n", 0);
    pid_t child = fork();
    if (child == 0) {
        char path[64];
        bool is_other = setgid(65534) == 0 && setuid(65534) == 0;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", attached.fd);
        bool is_refused = open_again(attached.fd, O_RDWR) < 0 && errno == EACCES;
        bool has_no_name = linkat(AT_FDCWD, path, AT_FDCWD, "/tmp/membroker-stolen", AT_SYMLINK_FOLLOW) < 0;
        _exit(is_other && is_refused && has_no_name ? 0 : 1);
    }
    cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 0);
    written_close(&written);
    attached_close(&attached);
    end();
}

/* A disk's file system pins no pages of its files for io_uring; tmpfs does, which the manual says. */
#ifdef SYS_io_uring_setup
#include <linux/io_uring.h>
#include <linux/magic.h>

Test(blocks_files, a_disk_registers_no_buffer_of_io_uring_in_them)
{
    struct io_uring_params parameters = {0};
    struct statfs status;
    begin("");
    cleanup(fd_closep) int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);
    if (ring < 0 || statfs(fixture.spill, &status) < 0 || status.f_type == TMPFS_MAGIC) {
        end();
        cr_skip("this kernel has no io_uring, or the files are in memory");
    }
    struct written written = write_file();
    struct iovec buffer = {written.data, 4096};
    cr_expect_lt(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1), 0);
    written_close(&written);
    end();
}
#endif

/* ---- what is refused ---- */

static enum error_code publish_for(const struct written *written, enum block_access access, struct reply *ret)
{
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish =
        (struct publish_request){.lease = written->lease, .access = access, .gid = getgid(), .name = "others"};
    return party_ask(&publisher, &request, ret);
}

Test(blocks_files, others_than_its_own_user_can_not_be_let_in)
{
    struct reply reply;
    begin("");
    struct written written = write_file();
    written_give_up(&written);
    cr_expect_eq(publish_for(&written, BLOCK_ACCESS_ALL, &reply), ERROR_NOT_SUPPORTED);
    cr_expect(strstr(reply.error.sentence, "only processes of its own user"), "%s", reply.error.sentence);
    cr_expect_eq(publish_for(&written, BLOCK_ACCESS_GROUP, &reply), ERROR_NOT_SUPPORTED);
    cr_expect_eq(publish_for(&written, BLOCK_ACCESS_USER, &reply), ERROR_UNSPECIFIED);
    written_close(&written);
    end();
}

/* Each is noticed by the proof, if no look has revoked the lease before. */
Test(blocks_files, one_that_was_cut_punched_or_extended_is_not_published)
{
    begin("");
    for (int i = 0; i < 3; i++) {
        struct written written = write_file();
        int result = i == 0   ? ftruncate(written.writable, 4096)
                     : i == 1 ? fallocate(written.writable, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192)
                              : ftruncate(written.writable, 2 * BLOCK_BYTES);
        cr_assert_eq(result, 0);
        written_give_up(&written);
        enum error_code code = party_publish(&publisher, &written, "changed", LIFETIME_SESSION);
        cr_expect(code == ERROR_INVALID || code == ERROR_LEASE_ENDED, "%d: %d", i, (int)code);
        cr_expect_neq(party_attach(&reader, "changed", 0).code, ERROR_UNSPECIFIED);
        (void)party_release(&publisher, written.lease);
        written_close(&written);
    }
    end();
}

/* What ended has given its blocks back to the file system, though a reader has it mapped. */
Test(blocks_files, a_full_file_system_is_a_refusal_and_has_room_again_when_a_block_ended)
{
    char disk[] = "/tmp/membroker-full-XXXXXX", name[2] = "a";
    struct written written[3];
    struct reply reply;
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire =
        (struct acquire_request){.bytes = BLOCK_BYTES, .location = LOCATION_MMAP, .numa_node = -1, .publishable = true};
    if (!small_disk_mount(disk, 3)) {
        cr_skip("no tmpfs can be mounted here, which needs root");
    }
    fixture_start_with_spill(&fixture, "[limits]\nmax_mapped_bytes = 1G\n", disk);
    open_both();
    for (int i = 0; i < 3; i++, name[0]++) {
        written[i] = publish_file(name);
    }
    struct attached attached = party_attach(&reader, "a", 0);
    cr_assert_eq(attached.code, ERROR_UNSPECIFIED);
    cr_expect_eq(party_ask(&publisher, &request, &reply), ERROR_DISK_FULL);
    cr_expect(strstr(reply.error.sentence, "has 0 bytes free and 1 MiB were asked for"), "%s", reply.error.sentence);
    cr_expect_eq(fixture_status(&fixture).used_bytes, 3 * BLOCK_BYTES, "a refusal costs nothing");
    fixture_audit(&fixture);
    cr_assert_eq(party_release(&publisher, written[0].lease), ERROR_UNSPECIFIED);
    cr_assert_eq(party_release(&reader, attached.reply.lease), ERROR_UNSPECIFIED);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 2 * BLOCK_BYTES);
    struct written next = publish_file("next");
    struct attached of_next = party_attach(&reader, "next", 0);
    cr_assert_eq(of_next.code, ERROR_UNSPECIFIED);
    cr_expect(is_all(of_next.data, 3));
    attached_close(&of_next);
    attached_close(&attached);
    written_close(&next);
    for (int i = 0; i < 3; i++) {
        written_close(&written[i]);
    }
    end();
    cr_expect(small_disk_unmount(disk));
}

/* ---- a borrower that does not want it freed ---- */

/* The kernel makes who opens the file for writing wait for a lease's holder; the daemon does not wait. */
Test(blocks_files, a_borrower_with_a_lease_of_the_file_stays_charged_until_it_is_gone)
{
    begin("");
    struct written written = publish_file("n");
    int mine = open_again(written.readable, O_RDONLY);
    (void)signal(SIGIO, SIG_IGN);
    if (mine < 0 || fcntl(mine, F_SETLEASE, F_RDLCK) < 0) {
        written_close(&written);
        end();
        cr_skip("this user is not the daemon's");
    }
    cr_expect_eq(party_release(&publisher, written.lease), ERROR_UNSPECIFIED);
    WAIT_UNTIL(fixture_log_has(&fixture, "a borrower keeps it from being freed"));
    cr_expect_eq(fixture_status(&fixture).used_bytes, BLOCK_BYTES, "its bytes are hidden from nobody");
    (void)close(mine);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    written_close(&written);
    end();
}

Test(blocks_files, a_borrower_that_changes_its_mode_keeps_nothing)
{
    begin("");
    struct written written = publish_file("n");
    (void)fchmod(written.readable, 0);
    struct attached attached = party_attach(&reader, "n", 0);
    cr_expect_eq(attached.code, ERROR_UNSPECIFIED);
    attached_close(&attached);
    cr_expect_eq(party_release(&publisher, written.lease), ERROR_UNSPECIFIED);
    written_close(&written);
    end();
}
