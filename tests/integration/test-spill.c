/* SPDX-License-Identifier: Apache-2.0 */
/* Spill files: every block is counted, none is taken that is reserved, and none of them can be given a name. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

#define MIB UINT64_C(1048576)

TestSuite(spill, .timeout = 60);

static struct fixture fixture;

/* A raw client's mapped lease: the segment's descriptor is what a client that is not the library has. */
static uint64_t acquire(int socket, uint64_t bytes, const char *file, int *ret_segment)
{
    struct reply reply;
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes, .location = LOCATION_MMAP, .numa_node = -1};
    (void)snprintf(request.acquire.file, sizeof request.acquire.file, "%s", file);
    cr_assert(fixture_exchange(socket, &request, &reply, ret_segment));
    cr_assert(reply.kind == REPLY_GRANT, "%s", reply.kind == REPLY_ERROR ? reply.error.sentence : "no grant");
    return reply.grant.lease;
}

static int session(void)
{
    struct reply reply;
    int control;
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, false, &reply, &control));
    (void)close(control);
    return fd;
}

/* Until the event says so; a renewal now and then keeps the other leases. */
static bool ended_as_changed(int socket, uint64_t lease)
{
    struct reply reply;
    while (fixture_receive(socket, &reply, NULL)) {
        if (reply.kind == EVENT_LEASE_ENDED && reply.lease_ended.lease == lease) {
            return reply.lease_ended.reason == END_TAMPERED;
        }
    }
    return false;
}

static uint64_t allocated(int fd)
{
    struct stat status;
    cr_assert(fstat(fd, &status) == 0);
    return (uint64_t)status.st_blocks * 512;
}

/* Blocks that no length shows: each file has fewer of them than a file system's own overhead might be. */
static void expect_blocks_beyond_are_noticed(const char *spill)
{
    enum { FILES = 8 };
    int segments[FILES];
    uint64_t leases[FILES];
    const struct request renew = {.id = 900, .kind = REQUEST_RENEW};
    fixture_start_with_spill(&fixture, "", spill);
    cleanup(fd_closep) int fd = session();
    for (int i = 0; i < FILES; i++) {
        leases[i] = acquire(fd, 4096, "", &segments[i]);
    }
    for (int i = 0; i < FILES; i++) {
        cr_assert(fallocate(segments[i], FALLOC_FL_KEEP_SIZE, 0, 65536) == 0);
        cr_assert(allocated(segments[i]) >= 65536);
        cr_assert(fixture_send(fd, &renew)); /* which has some looked at */
        cr_expect(ended_as_changed(fd, leases[i]));
        WAIT_UNTIL(allocated(segments[i]) == 0);
        (void)close(segments[i]);
    }
    fixture_stop(&fixture);
}

Test(spill, blocks_beyond_the_end_of_a_file_are_noticed_and_freed)
{
    expect_blocks_beyond_are_noticed(NULL);
}

Test(spill, blocks_beyond_the_end_are_noticed_on_tmpfs)
{
    char directory[] = "/dev/shm/membroker-spill-XXXXXX";
    cr_assert(mkdtemp(directory));
    expect_blocks_beyond_are_noticed(directory);
    cr_expect(rmdir(directory) == 0);
}

/* False: this file system does not list extents, and its count of blocks is all there is. */
static bool lists_extents(int fd)
{
    struct fiemap map = {.fm_length = FIEMAP_MAX_OFFSET};
    return ioctl(fd, FS_IOC_FIEMAP, &map) == 0;
}

/* As many blocks as the file is long, and not where they should be. */
Test(spill, blocks_beyond_the_end_are_noticed_even_if_a_hole_compensates)
{
    int segment;
    const struct request renew = {.id = 900, .kind = REQUEST_RENEW};
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = session();
    uint64_t lease = acquire(fd, MIB, "", &segment);
    if (!lists_extents(segment)) {
        fixture_discard(&fixture);
        cr_skip("the spill directory's file system lists no extents");
    }
    cr_assert(fallocate(segment, FALLOC_FL_KEEP_SIZE, (off_t)MIB, MIB / 4) == 0);
    cr_assert(fallocate(segment, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, MIB / 4) == 0);
    cr_assert_eq(allocated(segment), MIB);
    cr_assert(fixture_send(fd, &renew));
    cr_expect(ended_as_changed(fd, lease));
    WAIT_UNTIL(allocated(segment) == 0);
    (void)close(segment);
    fixture_stop(&fixture);
}

Test(spill, blocks_beyond_the_end_of_a_named_file_are_freed_and_its_bytes_stay)
{
    char directory[] = "/tmp/membroker-named-XXXXXX", settings[128], path[128];
    int segment;
    cr_assert(mkdtemp(directory));
    (void)snprintf(settings, sizeof settings, "[mapped]\nfiles = %s\n", directory);
    (void)snprintf(path, sizeof path, "%s/mine", directory);
    fixture_start(&fixture, settings);
    cleanup(fd_closep) int fd = session();
    uint64_t lease = acquire(fd, 8192, "mine", &segment);
    cr_assert(pwrite(segment, "kept", 4, 0) == 4);
    cr_assert(fallocate(segment, FALLOC_FL_KEEP_SIZE, 0, MIB) == 0 && allocated(segment) >= MIB);
    cr_expect(ended_as_changed(fd, lease));
    WAIT_UNTIL(allocated(segment) < 65536);
    char kept[4];
    cr_expect(pread(segment, kept, 4, 0) == 4 && memcmp(kept, "kept", 4) == 0);
    (void)close(segment);
    fixture_stop(&fixture);
    struct stat status;
    cr_expect(stat(path, &status) == 0 && status.st_size == 8192);
    cr_expect(unlink(path) == 0 && rmdir(directory) == 0);
}

Test(spill, a_borrower_can_not_give_a_file_a_name)
{
    char from[64], name[128];
    int segment;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = session();
    (void)acquire(fd, MIB, "", &segment);
    (void)snprintf(from, sizeof from, "/proc/self/fd/%d", segment);
    (void)snprintf(name, sizeof name, "%s/kept", fixture.spill);
    cr_expect(linkat(AT_FDCWD, from, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0 && errno == ENOENT);
    cr_expect(linkat(segment, "", AT_FDCWD, name, AT_EMPTY_PATH) < 0);
    (void)close(segment);
    fixture_stop(&fixture);
}

Test(spill, a_directory_that_was_deleted_and_created_again_is_used)
{
    int segment;
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = session();
    (void)acquire(fd, MIB, "", &segment);
    (void)close(segment);
    cr_assert(rmdir(fixture.spill) == 0 && mkdir(fixture.spill, 0700) == 0);
    (void)acquire(fd, MIB, "", &segment);
    (void)close(segment);
    fixture_stop(&fixture);
}

/* ---- a file system with blocks that are reserved for root ---- */

static bool mount_small(char *directory, char *image)
{
    char command[512];
    cr_assert(mkdtemp(directory));
    (void)snprintf(image, 96, "%s.image", directory);
    (void)snprintf(command, sizeof command,
                   "truncate -s 64M %s && mkfs.ext4 -q -m 30 %s && mount -o loop %s %s 2>/dev/null", image, image,
                   image, directory);
    return geteuid() == 0 && system(command) == 0; // NOLINT(cert-env33-c): a test's own command
}

static void unmount(const char *directory, const char *image)
{
    (void)umount2(directory, MNT_DETACH);
    (void)rmdir(directory);
    (void)unlink(image);
}

Test(spill, blocks_reserved_for_root_are_left_alone)
{
    char directory[] = "/tmp/membroker-small-XXXXXX", image[96], spill[128];
    struct statvfs space;
    struct reply reply;
    int segment;
    if (!mount_small(directory, image)) {
        unmount(directory, image);
        cr_skip_test("no file system can be mounted here");
    }
    (void)snprintf(spill, sizeof spill, "%s/spill", directory);
    fixture_start_with_spill(&fixture, "[limits]\nmax_mapped_bytes = 1G\n", spill);
    cleanup(fd_closep) int fd = session();
    cr_assert(statvfs(directory, &space) == 0 && space.f_bfree > space.f_bavail);
    uint64_t available = (uint64_t)space.f_bavail * space.f_frsize;
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire =
        (struct acquire_request){.bytes = (available + MIB) / 4096 * 4096, .location = LOCATION_MMAP, .numa_node = -1};
    cr_assert(fixture_exchange(fd, &request, &reply, NULL));
    cr_assert(reply.kind == REPLY_ERROR && reply.error.code == ERROR_DISK_FULL);
    (void)acquire(fd, (available - 2 * MIB) / 4096 * 4096, "", &segment);
    (void)close(segment);
    cr_assert(statvfs(directory, &space) == 0);
    cr_expect_gt(space.f_bavail, 0);
    fixture_stop(&fixture);
    unmount(directory, image);
}
