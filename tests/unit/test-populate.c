/* SPDX-License-Identifier: Apache-2.0 */
/* Making all pages of a memfd, in one part or in several. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/populate.h"

TestSuite(populate);

#define PAGE UINT64_C(4096)
#define MIB  UINT64_C(1048576)

static int memfd_of(uint64_t bytes)
{
    int fd = memfd_create("populate", MFD_CLOEXEC);
    cr_assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    return fd;
}

static uint64_t allocated(int fd)
{
    struct stat status;
    cr_assert(fstat(fd, &status) == 0);
    return (uint64_t)status.st_blocks * 512;
}

Test(populate, makes_every_page_whatever_the_parts)
{
    static const uint64_t sizes[] = {PAGE, MIB, 64 * MIB, 64 * MIB + PAGE, 97 * MIB + 3 * PAGE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = memfd_of(sizes[i]);
        cr_expect_eq(populate_memory(fd, sizes[i], false), 0);
        cr_expect_eq(allocated(fd), sizes[i], "%llu bytes", (unsigned long long)sizes[i]);
        (void)close(fd);
    }
}

static int reopened(int fd, int access)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, access | O_CLOEXEC);
}

Test(populate, says_what_can_not_be_mapped_or_made)
{
    int fd = memfd_of(64 * MIB), reader = reopened(fd, O_RDONLY);
    cr_assert(reader >= 0);
    cr_expect_eq(populate_memory(reader, 64 * MIB, false), -EACCES);
    cr_expect_eq(allocated(fd), 0);
    cr_expect_eq(populate_memory(fd, 128 * MIB, false), -ENOMEM, "the second half lies beyond the end");
    (void)close(reader);
    (void)close(fd);
}
