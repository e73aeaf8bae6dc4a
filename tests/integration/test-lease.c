/* SPDX-License-Identifier: Apache-2.0 */
/* Leases end to end: granted, mapped, extended, given back; limits that hold; refusals that explain. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/integration/fixture.h"
#include "tests/integration/small_disk.h"

#define MIB UINT64_C(1048576)

TestSuite(lease, .timeout = 60);

Test(lease, memory_is_zero_writable_and_counted_to_the_byte)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_lease *lease;
    void *address;
    uint64_t bytes;
    cr_assert(mb_acquire(client, 1000001, NULL, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, 0, &address, &bytes) == 0);
    cr_expect_eq(bytes, 1003520); /* 245 pages */
    for (uint64_t i = 0; i < bytes; i++) {
        cr_assert(((unsigned char *)address)[i] == 0);
    }
    memset(address, 0x5a, bytes);
    struct status_reply status = fixture_status(&fixture);
    cr_expect_eq(status.used_physical_bytes, 1003520);
    cr_expect_eq(status.used_bytes, 1003520);
    cr_expect_eq(status.used_mapped_bytes, 0);
    cr_expect_eq(status.leases, 1);
    cr_expect_eq(status.sessions, 1);
    fixture_audit(&fixture);
    cr_assert(mb_release(lease) == 0);
    cr_assert(mb_ping(client) == 0);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    cr_expect_eq(fixture_status(&fixture).counters.released, 1);
    mb_disconnect(client);
    cr_expect_eq(fixture_status(&fixture).sessions, 0);
    fixture_stop(&fixture);
}

Test(lease, a_release_to_zeros_frees_the_bytes_and_leaves_the_addresses)
{
    struct fixture fixture;
    fixture_start(&fixture, "[pool]\npool_bytes = 0\n");
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    options.socket = fixture.socket;
    options.cache_bytes = 64 * MIB; /* which it is not kept in */
    cr_assert(mb_connect(&options, &client) == 0);
    mb_lease *lease;
    void *address, *more;
    unsigned extent;
    cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0 && mb_extend(lease, MIB, &extent) == 0);
    cr_assert(mb_map(lease, 0, &address, NULL) == 0 && mb_map(lease, extent, &more, NULL) == 0);
    memset(address, 0x5a, MIB);
    cr_assert(mb_release_to_zeros(lease) == 0);
    cr_assert(mb_ping(client) == 0);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    mb_disconnect(client);
    unsigned char *pages[] = {address, more};
    for (size_t i = 0; i < 2; i++) {
        cr_expect(pages[i][0] == 0 && pages[i][MIB - 1] == 0);
        pages[i][0] = 1;
        cr_expect(munmap(pages[i], MIB) == 0);
    }
    cr_expect(mb_release_to_zeros(NULL) == 0);
    fixture_stop(&fixture);
}

Test(lease, a_mapped_file_is_allocated_in_full_and_exact)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *address;
    options.location = MB_LOCATION_MMAP;
    cr_assert(mb_acquire(client, 10000000, &options, &lease) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_lease_location(lease), MB_LOCATION_MMAP);
    cr_expect_eq(mb_lease_bytes(lease), 10002432); /* 2442 pages; not in steps of 16 KiB */
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    memset(address, 7, 10000000);
    cr_expect_eq(fixture_status(&fixture).used_mapped_bytes, 10002432);
    fixture_audit(&fixture);
    cr_assert(mb_release(lease) == 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(lease, extend_adds_extents_to_the_same_lease)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_lease *lease;
    void *first, *second;
    unsigned extent;
    cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0);
    cr_assert(mb_extend(lease, 2 * MIB, &extent) == 0);
    cr_expect_eq(extent, 1);
    cr_expect_eq(mb_lease_extents(lease), 2);
    cr_expect_eq(mb_lease_bytes(lease), 3 * MIB);
    cr_assert(mb_map(lease, 0, &first, NULL) == 0 && mb_map(lease, 1, &second, NULL) == 0);
    memset(first, 1, MIB);
    memset(second, 2, 2 * MIB);
    void *again;
    cr_assert(mb_map(lease, 1, &again, NULL) == 0);
    cr_expect(again == second);
    cr_expect_eq(mb_map(lease, 2, &again, NULL), -ENOENT);
    cr_expect_eq(fixture_status(&fixture).used_physical_bytes, 3 * MIB);
    cr_assert(mb_release(lease) == 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(lease, the_limit_holds_to_the_byte_and_the_refusal_explains_itself)
{
    struct fixture fixture;
    fixture_start(&fixture, "[limits]\nmax_physical_bytes = 64M\nmax_mapped_bytes = 32M\nmax_bytes = 80M\n");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_lease *all, *more;
    mb_lease_options mapped = MB_LEASE_OPTIONS_INIT;
    mapped.location = MB_LOCATION_MMAP;
    cr_expect_eq(mb_acquire(client, 33 * MIB, &mapped, &more), -ENOSPC);
    cr_expect(strstr(mb_last_error(), "max_mapped_bytes"), "%s", mb_last_error());
    cr_assert(mb_acquire(client, 64 * MIB, NULL, &all) == 0, "exactly the limit is allowed: %s", mb_last_error());
    cr_expect_eq(mb_acquire(client, 1, NULL, &more), -ENOMEM);
    const char *sentence = mb_last_error();
    cr_expect(strstr(sentence, "max_physical_bytes"), "%s", sentence);
    cr_expect(strstr(sentence, "4 KiB"), "what was asked: %s", sentence);
    cr_expect(strstr(sentence, "64 MiB"), "limit and use: %s", sentence);
    cr_expect(strstr(sentence, ": 0 bytes are free. "), "%s", sentence);
    cr_expect(strstr(sentence, "test (pid"), "who holds it: %s", sentence);
    cr_expect_eq(mb_acquire(client, 17 * MIB, &mapped, &more), -ENOMEM);
    cr_expect(strstr(mb_last_error(), "max_bytes"), "%s", mb_last_error());
    cr_assert(mb_acquire(client, 16 * MIB, &mapped, &more) == 0, "%s", mb_last_error());
    cr_expect_eq(fixture_status(&fixture).counters.refused, 3);
    mb_release(more);
    mb_release(all);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(lease, auto_goes_to_a_file_when_ram_is_short)
{
    struct fixture fixture;
    fixture_start(&fixture, "[limits]\nmax_physical_bytes = 16M\n");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *in_ram, *in_file;
    options.location = MB_LOCATION_AUTO;
    cr_assert(mb_acquire(client, 10 * MIB, &options, &in_ram) == 0);
    cr_assert(mb_acquire(client, 10 * MIB, &options, &in_file) == 0);
    cr_expect_eq(mb_lease_location(in_ram), MB_LOCATION_RAM);
    cr_expect_eq(mb_lease_location(in_file), MB_LOCATION_MMAP);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(lease, a_client_has_its_own_limits_twice_its_heap)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    mb_lease *lease;
    options.socket = fixture.socket;
    options.heap_bytes = 8 * MIB;
    cr_assert(mb_connect(&options, &client) == 0);
    cr_assert(mb_acquire(client, 16 * MIB, NULL, &lease) == 0);
    cr_expect(mb_acquire(client, 1, NULL, &lease) == -ENOMEM);
    cr_expect(strstr(mb_last_error(), "the client's max_"), "%s", mb_last_error());
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(lease, what_was_just_released_is_free_for_the_next_request)
{
    struct fixture fixture;
    fixture_start(&fixture, "[limits]\nmax_physical_bytes = 256M\n");
    mb_client *client = fixture_connect(&fixture, 0);
    for (int i = 0; i < 5; i++) {
        mb_lease *lease;
        void *address;
        cr_assert(mb_acquire(client, 256 * MIB, NULL, &lease) == 0, "round %d: %s", i, mb_last_error());
        cr_assert(mb_map(lease, 0, &address, NULL) == 0);
        memset(address, i, 256 * MIB); /* freeing this takes a while, off the daemon's loop */
        cr_assert(mb_release(lease) == 0);
    }
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(lease, prefault_allocates_every_page_before_the_grant)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    struct reply reply;
    struct request audit = {.kind = REQUEST_AUDIT};
    options.prefault = 1;
    cr_assert(mb_acquire(client, 32 * MIB, &options, &lease) == 0, "%s", mb_last_error());
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL));
    cr_assert(fixture_exchange(fd, &audit, &reply, NULL));
    cr_expect_eq(reply.audit.resident_physical_bytes, 32 * MIB);
    close(fd);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(lease, options_that_the_host_does_not_support_are_refused_by_name)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    options.numa_node = 1000;
    cr_expect_eq(mb_acquire(client, MIB, &options, &lease), -EOPNOTSUPP);
    cr_expect(strstr(mb_last_error(), "NUMA node 1000"), "%s", mb_last_error());
    options = (mb_lease_options)MB_LEASE_OPTIONS_INIT;
    options.huge_pages = MB_HUGE_PAGES_TRY;
    cr_assert(mb_acquire(client, MIB, &options, &lease) == 0, "TRY falls back: %s", mb_last_error());
    options.location = MB_LOCATION_MMAP;
    cr_expect_eq(mb_acquire(client, MIB, &options, &lease), -EINVAL);
    options = (mb_lease_options)MB_LEASE_OPTIONS_INIT;
    options.ttl_ms = 1;
    cr_expect_eq(mb_acquire(client, MIB, &options, &lease), -EINVAL);
    cr_expect(strstr(mb_last_error(), "min_ttl"), "%s", mb_last_error());
    mb_disconnect(client);
    fixture_stop(&fixture);
}

/* The value of a line of /proc/meminfo. */
static long meminfo(const char *name)
{
    char line[128];
    long value = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(strchr(line, ':') + 1, NULL, 10);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return value;
}

Test(lease, huge_pages_and_a_numa_node_are_granted_if_the_host_has_them)
{
    struct fixture fixture;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    if (access("/sys/devices/system/node/node0", F_OK) == 0) {
        options.numa_node = 0;
        cr_expect(mb_acquire(client, MIB, &options, &lease) == 0, "%s", mb_last_error());
    }
    options = (mb_lease_options)MB_LEASE_OPTIONS_INIT;
    options.huge_pages = MB_HUGE_PAGES_ALWAYS;
    long free_pages = meminfo("HugePages_Free");
    uint64_t page = (uint64_t)meminfo("Hugepagesize") * 1024;
    if (free_pages < 1) {
        cr_expect(mb_acquire(client, MIB, &options, &lease) < 0);
        cr_expect(strstr(mb_last_error(), "huge pages"), "%s", mb_last_error());
    } else {
        cr_assert(mb_acquire(client, 1, &options, &lease) == 0, "%s", mb_last_error());
        cr_expect(mb_lease_has_huge_pages(lease) && mb_lease_bytes(lease) == page);
        cr_expect_eq(meminfo("HugePages_Free"), free_pages - 1, "allocated at the grant");
        if (free_pages > 1) {
            cr_assert(mb_acquire(client, (uint64_t)(free_pages - 1) * page, &options, &lease) == 0);
        }
        options.huge_pages = MB_HUGE_PAGES_TRY;
        cr_assert(mb_acquire(client, 1, &options, &lease) == 0, "%s", mb_last_error());
        cr_expect_eq(mb_lease_bytes(lease), (uint64_t)sysconf(_SC_PAGESIZE), "none is left");
    }
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(lease, a_full_disk_is_an_error_of_the_request)
{
    struct fixture fixture;
    char disk[] = "/tmp/membroker-full-XXXXXX";
    if (!small_disk_mount(disk, 8)) {
        cr_skip("no tmpfs can be mounted here, which needs root");
    }
    fixture_start_with_spill(&fixture, "[limits]\nmax_mapped_bytes = 1G\n", disk);
    mb_client *client = fixture_connect(&fixture, 0);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *address;
    options.location = MB_LOCATION_MMAP;
    cr_expect_eq(mb_acquire(client, 9 * MIB, &options, &lease), -ENOSPC);
    cr_expect(strstr(mb_last_error(), "8 MiB free"), "%s", mb_last_error());
    cr_expect_eq(fixture_status(&fixture).used_bytes, 0);
    cr_assert(mb_acquire(client, 8 * MIB, &options, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    memset(address, 1, 8 * MIB); /* no SIGBUS: every block is there */
    mb_disconnect(client);
    fixture_stop(&fixture);
    cr_expect(small_disk_unmount(disk));
}

Test(lease, no_segment_is_lent_twice)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *first = fixture_connect(&fixture, 0), *second = fixture_connect(&fixture, 0);
    mb_lease *lease;
    unsigned char *address;
    for (int i = 0; i < 50; i++) {
        mb_client *client = i % 2 ? first : second;
        cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0);
        cr_assert(mb_map(lease, 0, (void **)&address, NULL) == 0);
        for (uint64_t at = 0; at < MIB; at += 64) {
            cr_assert(address[at] == 0, "somebody else's byte");
        }
        memset(address, 0xee, MIB);
        cr_assert(mb_release(lease) == 0);
    }
    mb_disconnect(first);
    mb_disconnect(second);
    fixture_stop(&fixture);
}

static int mapped_ranges(const char *address)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t start = (uintptr_t)strtoull(line, NULL, 16);
        count += start == (uintptr_t)address;
    }
    cr_assert(maps && fclose(maps) == 0);
    return count;
}

static char *map_extent(mb_lease *lease, unsigned extent)
{
    void *address;
    cr_assert(mb_map(lease, extent, &address, NULL) == 0, "%s", mb_last_error());
    return address;
}

static bool is_all(const char *address, char byte, uint64_t bytes)
{
    return address[0] == byte && memcmp(address, address + 1, bytes - 1) == 0;
}

static void check_zeros_left(mb_client *client, mb_location location)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease, *other;
    unsigned more;
    options.location = location;
    options.flags = MB_LEASE_UNDEFINED_CONTENT;
    cr_assert(mb_acquire(client, MIB, &options, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_extend(lease, MIB, &more) == 0, "%s", mb_last_error());
    char *addresses[] = {map_extent(lease, 0), map_extent(lease, more)};
    memset(addresses[0], 1, MIB);
    memset(addresses[1], 2, MIB);
    cr_assert(mb_release_to_zeros(lease) == 0);
    cr_assert(mb_acquire(client, MIB, NULL, &other) == 0, "%s", mb_last_error());
    memset(map_extent(other, 0), 3, MIB);
    for (int i = 0; i < 2; i++) {
        cr_expect(is_all(addresses[i], 0, MIB), "extent %d", i);
        memset(addresses[i], 4, MIB);
        cr_expect(mb_lease_from_address(addresses[i]) == NULL);
        (void)munmap(addresses[i], MIB);
        cr_expect_eq(mapped_ranges(addresses[i]), 0);
    }
    cr_expect(is_all(map_extent(other, 0), 3, MIB));
    (void)mb_release(other);
}

Test(lease, zeros_are_left_in_its_place_if_the_program_wants_them)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_GUARD);
    check_zeros_left(client, MB_LOCATION_RAM);
    check_zeros_left(client, MB_LOCATION_MMAP);
    mb_disconnect(client);
    fixture_stop(&fixture);
}
