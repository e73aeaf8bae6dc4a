/* SPDX-License-Identifier: Apache-2.0 */
/* The memfds that the daemon makes ahead: empty, its own, counted by an audit, and few if descriptors are few. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

TestSuite(stock, .timeout = 60);

enum { BLANK_MOST = 64, BYTES = 65536 };

static struct fixture fixture;

struct blanks {
    char path[BLANK_MOST + 1][320];
    ino_t inode[BLANK_MOST + 1];
    size_t count;
};

/* One that was made a moment ago has its mode a moment later; or it is gone. */
static bool is_private(const char *path)
{
    struct stat status;
    return stat(path, &status) < 0 || (status.st_mode & 07777) == 0600;
}

static void note_if_blank(struct blanks *blanks, const char *directory, const char *name)
{
    char path[320], target[128];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0 || stat(path, &status) < 0 || status.st_size != 0) {
        return;
    }
    target[length] = '\0';
    if (strcmp(target, "/memfd:membroker:segment (deleted)") == 0 && blanks->count <= BLANK_MOST) {
        WAIT_UNTIL(is_private(path));
        cr_expect_eq(status.st_blocks, 0);
        (void)stpcpy(blanks->path[blanks->count], path);
        blanks->inode[blanks->count++] = status.st_ino;
    }
}

static struct blanks find_blanks(void)
{
    struct blanks blanks = {0};
    char directory[64];
    const struct dirent *entry;
    (void)snprintf(directory, sizeof directory, "/proc/%d/fd", fixture.daemon);
    DIR *stream = opendir(directory);
    cr_assert(stream);
    while ((entry = readdir(stream))) {
        note_if_blank(&blanks, directory, entry->d_name);
    }
    (void)closedir(stream);
    return blanks;
}

static bool has_inode(const struct blanks *blanks, ino_t inode)
{
    bool has = false;
    for (size_t i = 0; i < blanks->count; i++) {
        has = has || blanks->inode[i] == inode;
    }
    return has;
}

/* Acquires on a session of its own, which ends; gives the inode. */
static ino_t borrow(void)
{
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    struct reply reply;
    struct stat status;
    int segment;
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    acquire.acquire = (struct acquire_request){.bytes = BYTES, .location = LOCATION_RAM, .numa_node = -1};
    cr_assert(fixture_hello(fd, false, &reply, NULL));
    cr_assert(fixture_exchange(fd, &acquire, &reply, &segment) && reply.kind == REPLY_GRANT);
    cr_assert(fstat(segment, &status) == 0);
    cr_expect_eq(status.st_size, BYTES);
    cr_expect_eq(fcntl(segment, F_GET_SEALS) & (F_SEAL_GROW | F_SEAL_SEAL), F_SEAL_GROW | F_SEAL_SEAL);
    (void)close(segment);
    return status.st_ino;
}

Test(stock, is_empty_until_memory_is_asked_for_and_then_what_segments_are_made_of)
{
    fixture_start(&fixture, "");
    cr_expect_eq(find_blanks().count, 0);
    (void)borrow();
    for (int i = 0; i < 4; i++) {
        WAIT_UNTIL(find_blanks().count == BLANK_MOST); /* at rest it is full */
        struct blanks before = find_blanks();
        cr_expect(has_inode(&before, borrow()), "segment %d", i);
    }
    fixture_audit(&fixture);
    fixture_stop(&fixture);
}

static bool agrees(void)
{
    struct request audit = {.kind = REQUEST_AUDIT};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL));
    cr_assert(fixture_exchange(fd, &audit, &reply, NULL) && reply.kind == REPLY_AUDIT);
    return reply.audit.difference_count == 0;
}

/* The first that are given away are the ones that were made last. */
Test(stock, is_reported_by_an_audit_if_it_is_not_empty)
{
    fixture_start(&fixture, "");
    (void)borrow();
    WAIT_UNTIL(find_blanks().count > BLANK_MOST / 2);
    cr_expect(agrees());
    struct blanks blanks = find_blanks();
    cleanup(fd_closep) int blank = open(blanks.path[0], O_RDWR | O_CLOEXEC);
    cr_assert(blank >= 0 && write(blank, "x", 1) == 1);
    cr_expect_not(agrees(), "memory outside the ledger");
    cr_assert(ftruncate(blank, 0) == 0);
    cr_expect(agrees());
    fixture_stop(&fixture);
}

Test(stock, is_not_kept_if_descriptors_are_few)
{
    struct status_reply status;
    fixture_prepare(&fixture, "");
    fixture.descriptors = 80;
    fixture_launch(&fixture);
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    for (int i = 0; i < 50; i++) {
        mb_lease *lease;
        WAIT_UNTIL(mb_acquire(client, BYTES, NULL, &lease) == 0); /* a moment later if many are still being freed */
        cr_assert(mb_release(lease) == 0);
    }
    WAIT_UNTIL(find_blanks().count == 0); /* those that were freed are being closed */
    WAIT_UNTIL(fixture_try_status(&fixture, &status) && status.used_bytes == 0); /* it needs one, too */
    mb_disconnect(client);
    fixture_stop(&fixture);
}
