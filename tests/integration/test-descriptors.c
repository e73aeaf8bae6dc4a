/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor of a lease, for mappings that the program makes itself. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(descriptors, .timeout = 60);

static mb_lease *acquire(uint64_t bytes, mb_location location, unsigned flags)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease = NULL;
    options.location = location;
    options.flags = flags;
    cr_assert(mb_acquire(client, bytes, &options, &lease) == 0, "%s", mb_last_error());
    return lease;
}

static int descriptor_of(const mb_lease *lease, unsigned extent)
{
    int descriptor = -1;
    cr_assert(mb_lease_descriptor(lease, extent, &descriptor) == 0, "%s", mb_last_error());
    return descriptor;
}

static char *map_with(int descriptor, uint64_t bytes, int flags)
{
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0);
    cr_assert(address != MAP_FAILED);
    return address;
}

static void check_private(mb_location location)
{
    void *shared;
    mb_lease *lease = acquire(MIB, location, MB_LEASE_KEEP_DESCRIPTOR);
    int before = descriptor_of(lease, 0);
    cr_assert(mb_map(lease, 0, &shared, NULL) == 0, "%s", mb_last_error());
    memset(shared, 1, MIB);
    int after = descriptor_of(lease, 0);
    char *private = map_with(after, MIB, MAP_PRIVATE), *same = map_with(before, MIB, MAP_SHARED);
    cr_expect(private[4096] == 1 && same[4096] == 1);
    private[4096] = 2;
    same[0] = 3;
    cr_expect(((char *)shared)[4096] == 1, "what the private mapping writes is private");
    cr_expect(((char *)shared)[0] == 3 && private[0] == 3);
    cr_expect((fcntl(after, F_GETFD) & FD_CLOEXEC) != 0);
    cr_expect(before != after);
    (void)munmap(private, MIB);
    (void)munmap(same, MIB);
    (void)close(before);
    (void)close(after);
    cr_expect(mb_release(lease) == 0);
}

Test(descriptors, the_program_maps_the_segment_privately)
{
    begin("");
    check_private(MB_LOCATION_RAM);
    check_private(MB_LOCATION_MMAP);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(descriptors, each_extent_has_one)
{
    unsigned extent;
    struct stat first, second;
    begin("");
    mb_lease *lease = acquire(MIB, MB_LOCATION_RAM, MB_LEASE_KEEP_DESCRIPTOR);
    cr_assert(mb_extend(lease, 2 * MIB, &extent) == 0);
    int descriptors[2] = {descriptor_of(lease, 0), descriptor_of(lease, extent)}, none = -1;
    cr_expect(fstat(descriptors[0], &first) == 0 && fstat(descriptors[1], &second) == 0);
    cr_expect(first.st_size == (off_t)MIB && second.st_size == (off_t)(2 * MIB));
    cr_expect(mb_lease_descriptor(lease, 2, &none) == -ENOENT && none == -1);
    EXPECT_SENTENCE("2 extents, and no number 2");
    (void)close(descriptors[0]);
    (void)close(descriptors[1]);
    end();
}

enum { PECULIAR_BYTES = 37 * 4096, DESCRIPTORS_MAX = 1024 };

/* This process's descriptors of segments that are that long. */
static unsigned count_segments(void)
{
    struct stat status;
    unsigned count = 0;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        count += fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == PECULIAR_BYTES;
    }
    return count;
}

Test(descriptors, without_the_flag_a_mapped_lease_costs_none_and_the_call_says_so)
{
    void *address;
    int none = -1;
    begin("");
    mb_lease *lease = acquire(PECULIAR_BYTES, MB_LOCATION_RAM, 0);
    cr_expect(mb_lease_descriptor(lease, 0, &none) == -EBADF && none == -1);
    EXPECT_SENTENCE("MB_LEASE_KEEP_DESCRIPTOR");
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    cr_expect_eq(count_segments(), 0);
    cr_expect(mb_lease_descriptor(lease, 0, &none) == -EBADF && none == -1);
    mb_lease *kept = acquire(PECULIAR_BYTES, MB_LOCATION_RAM, MB_LEASE_KEEP_DESCRIPTOR);
    cr_assert(mb_map(kept, 0, &address, NULL) == 0);
    cr_expect_eq(count_segments(), 1);
    cr_expect(mb_release(kept) == 0);
    cr_expect_eq(count_segments(), 0, "the library closes its own");
    end();
}

/* A descriptor that is free, and all lower ones are in use. */
static unsigned first_free(void)
{
    int next = dup(STDIN_FILENO);
    (void)close(next);
    return (unsigned)next;
}

static int in_child(mb_lease *lease)
{
    int none = -1;
    return mb_lease_descriptor(lease, 0, &none) == -EPERM && none == -1 ? 0 : 1;
}

Test(descriptors, refusals)
{
    int none = -1, status;
    begin("");
    mb_lease *lease = acquire(MIB, MB_LOCATION_RAM, MB_LEASE_KEEP_DESCRIPTOR);
    pid_t child = fork();
    if (child == 0) {
        _exit(in_child(lease));
    }
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct rlimit limit, few = {0};
    cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    few = limit;
    few.rlim_cur = first_free();
    cr_assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
    int refused = mb_lease_descriptor(lease, 0, &none);
    cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    cr_expect(refused == -EMFILE && none == -1, "%d", refused);
    cr_assert(fixture_revoke(&fixture, mb_lease_id(lease)) == 0);
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
    cr_expect(mb_lease_descriptor(lease, 0, &none) == -ESTALE && none == -1);
    end();
}

/* ---- the lease's end ---- */

static sigjmp_buf after_bus;

static void on_bus(int number)
{
    (void)number;
    siglongjmp(after_bus, 1);
}

static bool raises_bus(volatile char *address)
{
    (void)signal(SIGBUS, on_bus);
    if (sigsetjmp(after_bus, 1)) {
        return true;
    }
    (void)*address;
    return false;
}

/* The descriptor holds the segment, but none of its bytes. */
Test(descriptors, a_descriptor_that_outlives_the_lease_holds_no_memory)
{
    struct stat segment;
    begin("");
    mb_lease *lease = acquire(MIB, MB_LOCATION_RAM, MB_LEASE_KEEP_DESCRIPTOR);
    int descriptor = descriptor_of(lease, 0);
    char *private = map_with(descriptor, MIB, MAP_PRIVATE);
    memset(private, 1, MIB);
    cr_expect(mb_release(lease) == 0);
    WAIT_UNTIL(used() == 0);
    cr_expect(fstat(descriptor, &segment) == 0 && segment.st_size == 0);
    cr_expect(raises_bus(private));
    (void)munmap(private, MIB);
    (void)close(descriptor);
    end();
}

Test(descriptors, the_cache_neither_keeps_nor_gives_such_a_lease)
{
    fixture_start(&fixture, "");
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    void *address;
    options.socket = fixture.socket;
    options.cache_bytes = 8 * MIB;
    cr_assert(mb_connect(&options, &client) == 0);
    mb_lease *plain = acquire(MIB, MB_LOCATION_RAM, 0);
    uint64_t id = mb_lease_id(plain);
    cr_assert(mb_map(plain, 0, &address, NULL) == 0);
    cr_expect(mb_release(plain) == 0);
    mb_lease *kept = acquire(MIB, MB_LOCATION_RAM, MB_LEASE_KEEP_DESCRIPTOR);
    uint64_t other = mb_lease_id(kept);
    cr_expect(other != id);
    (void)close(descriptor_of(kept, 0));
    cr_assert(mb_map(kept, 0, &address, NULL) == 0);
    cr_expect(mb_release(kept) == 0);
    plain = acquire(MIB, MB_LOCATION_RAM, 0);
    cr_expect_eq(mb_lease_id(plain), id);
    end();
}

Test(descriptors, each_mapped_address_leads_to_its_lease)
{
    void *first, *second;
    uint64_t bytes;
    begin("");
    mb_lease *ram = acquire(MIB, MB_LOCATION_RAM, 0), *mapped = acquire(MIB, MB_LOCATION_MMAP, 0);
    cr_assert(mb_map(ram, 0, &first, &bytes) == 0 && mb_map(mapped, 0, &second, NULL) == 0, "%s", mb_last_error());
    cr_expect(mb_lease_from_address(first) == ram && mb_lease_from_address((char *)first + bytes - 1) == ram);
    cr_expect(mb_lease_from_address((char *)first - 1) != ram && mb_lease_from_address((char *)first + bytes) != ram);
    cr_expect(mb_lease_from_address(second) == mapped);
    cr_expect(mb_lease_from_address(NULL) == NULL && mb_lease_from_address(&bytes) == NULL);
    cr_expect(mb_release(ram) == 0);
    cr_expect(mb_lease_from_address(first) == NULL && mb_lease_from_address(second) == mapped);
    cr_expect(mb_release(mapped) == 0);
    WAIT_UNTIL(used() == 0);
    end();
}
