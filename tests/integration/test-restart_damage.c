/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon is handed at a restart may not be what the one before stored: a client changed the file, a disk became
 * read-only, somebody else's descriptor has such a name. What is concerned ends, and everything else goes on.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/runtime/table_records.h"
#include "proto/base/cleanup.h"
#include "tests/integration/blocks.h"
#include "tests/integration/manager.h"

TestSuite(restart_damage, .timeout = 60);

enum { OTHER_BYTES = 3 * BLOCK_BYTES };

static struct manager manager;
static mb_lease *bystander;

/* Another lease is there, which nothing of this concerns. */
static void begin_kept(void)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    client = fixture_connect(&fixture, 0);
    cr_assert(mb_acquire(client, OTHER_BYTES, NULL, &bystander) == 0, "%s", mb_last_error());
}

static void restart(void)
{
    manager_restart(&manager, SIGKILL);
    fixture_wait_connected(client);
    cr_expect_eq(mb_lease_check(bystander), 0, "it goes on");
}

/* What no record explains is freed without the ledger, by a worker. */
static bool kernel_has_none(void)
{
    uint64_t ram, mapped;
    fixture_kernel_bytes(&fixture, &ram, &mapped);
    return ram == 0 && mapped == 0;
}

static void end_kept(void)
{
    cr_expect_eq(mb_release(bystander), 0);
    mb_disconnect(client);
    WAIT_UNTIL(used() == 0 && kernel_has_none());
    manager_stop(&manager);
}

/* The name of the segment that was stored last. */
static const char *newest_segment(void)
{
    static char name[64];
    (void)manager_stored(&manager);
    name[0] = '\0';
    for (size_t i = 0; i < manager.stored; i++) {
        if (manager.store[i].name[0] == 's') {
            (void)snprintf(name, sizeof name, "%s", manager.store[i].name);
        }
    }
    cr_assert(name[0]);
    return name;
}

static int sealed_memory(off_t bytes)
{
    int fd = memfd_create("membroker:segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    cr_assert(fd >= 0 && ftruncate(fd, bytes) == 0 &&
              fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
    return fd;
}

/* Of 8,000 bytes that are somebody's, opened for reading. */
static int foreign_file(char path[64])
{
    (void)snprintf(path, 64, "%s/foreign", fixture.directory);
    cleanup(fd_closep) int made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert(made >= 0 && fchmod(made, 0644) == 0 && posix_fallocate(made, 0, 8000) == 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0);
    return fd;
}

static void expect_untouched(const char *path)
{
    struct stat seen;
    cr_assert(stat(path, &seen) == 0);
    cr_expect(seen.st_size == 8000 && (seen.st_mode & 07777) == 0644, "%lld bytes, mode %o", (long long)seen.st_size,
              (unsigned)seen.st_mode);
    cr_expect_eq(unlink(path), 0);
}

Test(restart_damage, a_lease_whose_file_can_not_be_opened_again_ends_alone)
{
    begin_kept();
    mb_block *block = create_filled(client, NULL, 1);
    cleanup(fd_closep) int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    manager_replace(&manager, newest_segment(), directory);
    restart();
    WAIT_UNTIL(mb_block_publish(block, "lost") == -ESTALE);
    cr_expect(fixture_log_has(&fixture, "is lost: it can't be opened again: Is a directory"));
    (void)mb_block_free(block);
    WAIT_UNTIL(used() == OTHER_BYTES);
    end_kept();
}

/* A client of the broker's own user can have this: the next daemon's opening would wait for its lease to go. */
Test(restart_damage, a_lease_whose_borrower_has_a_file_lease_ends_alone)
{
    char path[32];
    begin_kept();
    mb_block *block = create_filled(client, NULL, 1);
    int made = memfd_create("membroker:segment", MFD_CLOEXEC);
    cr_assert(made >= 0 && ftruncate(made, BLOCK_BYTES) == 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", made);
    cleanup(fd_closep) int readable = open(path, O_RDONLY | O_CLOEXEC);
    (void)close(made);
    cr_assert(signal(SIGIO, SIG_IGN) != SIG_ERR && fcntl(readable, F_SETLEASE, F_RDLCK) == 0);
    manager_replace(&manager, newest_segment(), readable);
    restart();
    cr_expect_eq(fcntl(readable, F_SETLEASE, F_UNLCK), 0);
    WAIT_UNTIL(mb_block_publish(block, "lost") == -ESTALE);
    cr_expect(fixture_log_has(&fixture, "is lost: it can't be opened again: Resource temporarily"));
    (void)mb_block_free(block);
    end_kept();
}

/* The block's name is free then, and nobody reads what is none. */
static void expect_no_block(int replacement)
{
    begin_kept();
    mb_block *block = publish(client, "weights", 1);
    manager_replace(&manager, newest_segment(), replacement);
    restart();
    cr_expect_eq(attach_result(client, "weights", 0), -ENOENT, "%s", mb_last_error());
    cr_expect(fixture_log_has(&fixture, "block weights is lost: what is kept for it is not its memory"));
    (void)mb_block_free(block);
    block = publish(client, "weights", 2);
    mb_view *view = attach(client, "weights");
    cr_expect(view_is(view, 2));
    (void)mb_view_close(view);
    cr_expect_eq(mb_block_free(block), 0);
    end_kept();
}

Test(restart_damage, memory_of_another_size_is_no_block)
{
    cleanup(fd_closep) int fd = sealed_memory(4096);
    expect_no_block(fd);
}

Test(restart_damage, a_pipe_is_no_block)
{
    int pair[2];
    cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
    expect_no_block(pair[0]);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* systemd names a descriptor that it opened for the service by the file's name, and one without a name "stored". */
Test(restart_damage, a_file_of_somebody_else_is_left_as_it_is)
{
    static const char *const names[] = {"stored", "secret", "s4zz", "f4zz"};
    char path[64];
    begin_kept();
    cleanup(fd_closep) int foreign = foreign_file(path);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        manager_put(&manager, names[i], foreign);
    }
    restart();
    WAIT_UNTIL(fixture_log_has(&fixture, "without a session: 4"));
    expect_untouched(path);
    end_kept();
}

Test(restart_damage, a_lease_of_a_place_that_there_is_not_ends_alone)
{
    mb_lease *lease;
    begin_kept();
    cr_assert(mb_acquire(client, BLOCK_BYTES, NULL, &lease) == 0, "%s", mb_last_error());
    (void)manager_stored(&manager);
    for (size_t i = 0; i < manager.stored; i++) {
        struct record record;
        const uint32_t nowhere = 9;
        for (off_t at = HEADER_BYTES; strcmp(manager.store[i].name, "membroker-table") == 0 &&
                                      pread(manager.store[i].fd, &record, sizeof record, at) == sizeof record;
             at += (off_t)sizeof record) {
            if (record.segment.bytes == BLOCK_BYTES) {
                at += (off_t)offsetof(struct record, segment.location);
                cr_assert(pwrite(manager.store[i].fd, &nowhere, sizeof nowhere, at) == sizeof nowhere);
                break;
            }
        }
    }
    restart();
    cr_expect_eq(mb_lease_check(lease), -ESTALE);
    cr_expect_eq(mb_release(lease), -ESTALE);
    end_kept();
}
