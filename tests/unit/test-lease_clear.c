/* SPDX-License-Identifier: Apache-2.0 */
/* Clearing a kept lease: all of it is zero afterwards, and no page is made for that. */
#include "client/lease_clear.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(lease_clear);

enum { PAGE_BYTES = 4096, SMALL_BYTES = 1 << 20, LARGE_BYTES = 16 << 20 };

static mb_lease lease_of(uint64_t bytes, int fd)
{
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert(address != MAP_FAILED);
    return (mb_lease){.extent_count = 1, .first = {.bytes = bytes, .fd = fd, .address = address}};
}

static int segment(uint64_t bytes)
{
    int fd = memfd_create("cleared", MFD_CLOEXEC);
    cr_assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    return fd;
}

static bool is_zero(const mb_lease *lease)
{
    const char *bytes = lease->first.address;
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, lease->first.bytes - 1) == 0;
}

static blkcnt_t blocks(int fd)
{
    struct stat status;
    cr_assert(fstat(fd, &status) == 0);
    return status.st_blocks;
}

static void write_at(const mb_lease *lease, uint64_t offset)
{
    ((char *)lease->first.address)[offset] = 1;
}

Test(lease_clear, a_small_lease)
{
    int fd = segment(SMALL_BYTES);
    mb_lease lease = lease_of(SMALL_BYTES, fd);
    lease.first.fd = -EBADF;
    memset(lease.first.address, 7, SMALL_BYTES);
    cr_expect(lease_clear_is_cheap(&lease) && !lease_clear_needs_descriptor(SMALL_BYTES));
    lease_clear(&lease);
    cr_expect(is_zero(&lease));
}

Test(lease_clear, of_a_large_lease_the_pages_that_exist)
{
    int fd = segment(LARGE_BYTES);
    mb_lease lease = lease_of(LARGE_BYTES, fd);
    write_at(&lease, 0);
    write_at(&lease, 3 * PAGE_BYTES + 17);
    write_at(&lease, 4 * PAGE_BYTES);
    write_at(&lease, LARGE_BYTES / 2);
    write_at(&lease, LARGE_BYTES - 1);
    blkcnt_t before = blocks(fd);
    cr_expect(lease_clear_is_cheap(&lease) && lease_clear_needs_descriptor(LARGE_BYTES));
    lease_clear(&lease);
    cr_expect_eq(blocks(fd), before);
    cr_expect(is_zero(&lease));
}

Test(lease_clear, a_large_lease_without_or_all_pages)
{
    int fd = segment(LARGE_BYTES);
    mb_lease lease = lease_of(LARGE_BYTES, fd);
    lease_clear(&lease);
    cr_expect_eq(blocks(fd), 0);
    memset(lease.first.address, 7, LARGE_BYTES);
    lease_clear(&lease);
    cr_expect(is_zero(&lease));
}

/* Costly, so the cache does not do it; but never wrong. */
Test(lease_clear, a_large_lease_without_a_descriptor)
{
    int fd = segment(LARGE_BYTES);
    mb_lease lease = lease_of(LARGE_BYTES, fd);
    lease.first.fd = -EBADF;
    write_at(&lease, LARGE_BYTES - 1);
    cr_expect(!lease_clear_is_cheap(&lease));
    lease_clear(&lease);
    cr_expect(is_zero(&lease));
}
