/* SPDX-License-Identifier: Apache-2.0 */
/* What is ready before it is asked for: sizes that earlier processes learned, the warm pool, the library's cache. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(remembered, .timeout = 60);

/* ---- learned sizes ---- */

/* One process's life: three cycles of a workspace; how many bytes were spilled. */
static int learn(const struct fixture *of)
{
    mb_client *child = fixture_connect(of, 0);
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    mb_workspace *workspace = open_named(child, "gradients", config);
    for (int i = 0; i < 3; i++) {
        ENTER(workspace);
        (void)ALLOC(workspace, 3 * MIB);
        LEAVE(workspace);
    }
    int spills = (int)stats_of(workspace).total_spilled_count;
    mb_workspace_close(workspace);
    mb_disconnect(child);
    return spills;
}

static int spills_of(int (*body)(const struct fixture *of))
{
    int status;
    pid_t child = fixture_fork(body, &fixture);
    cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

Test(remembered, the_next_process_has_the_right_size_in_its_first_cycle)
{
    fixture_start(&fixture, "");
    cr_expect_eq(spills_of(learn), 1, "the first has to learn it");
    cr_expect_eq(fixture_status(&fixture).remembered, 1);
    cr_expect_eq(spills_of(learn), 0, "the second knows it");
    /* and so does one under the next daemon */
    cr_assert(kill(fixture.daemon, SIGTERM) == 0);
    cr_assert(waitpid(fixture.daemon, NULL, 0) == fixture.daemon);
    fixture_launch(&fixture);
    cr_expect_eq(fixture_status(&fixture).remembered, 1);
    cr_expect_eq(spills_of(learn), 0);
    fixture_stop(&fixture);
}

static int learn_in_secret(const struct fixture *of)
{
    mb_client *child = fixture_connect(of, MB_CLIENT_NO_LEARNED_SIZES);
    mb_workspace *workspace = open_named(child, "secret", default_config());
    for (int i = 0; i < 3; i++) {
        ENTER(workspace);
        (void)ALLOC(workspace, 3 * MIB);
        LEAVE(workspace);
    }
    mb_disconnect(child);
    return 0;
}

Test(remembered, a_client_can_opt_out_of_learned_sizes)
{
    begin("");
    cr_expect_eq(spills_of(learn_in_secret), 0);
    cr_expect_eq(fixture_status(&fixture).remembered, 0);
    end();
}

Test(remembered, invalid_lines_are_skipped)
{
    char path[640];
    fixture_prepare(&fixture, "");
    (void)snprintf(path, sizeof path, "%s/learned", fixture.directory);
    FILE *file = fopen(path, "we");
    cr_assert(file);
    (void)fprintf(file,
                  "nonsense\n%d\t%u\tdefault\ttest\tgradients\n99999999999999999999999\t1\ta\tb\tc\n\n-5\t0\td\te\tf\n",
                  3 << 20, getuid());
    (void)fclose(file);
    fixture_launch(&fixture);
    cr_expect_eq(fixture_status(&fixture).remembered, 1);
    cr_expect_eq(spills_of(learn), 0);
    fixture_stop(&fixture);
}

/* ---- the warm pool ---- */

static uint64_t pooled(void)
{
    return fixture_status(&fixture).pooled_bytes;
}

Test(remembered, a_pooled_segment_has_every_page_and_is_lent_once)
{
    begin("[pool]\npool_bytes = 32M\nsizes = 8M\n");
    mb_lease *lease;
    void *address;
    unsigned char present[2048];
    WAIT_UNTIL(pooled() == 8 * MIB);
    cr_assert(mb_acquire(client, 8 * MIB, NULL, &lease) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_lease_charge(lease), MB_CHARGE_BROKER);
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    cr_assert(mincore(address, 8 * MIB, present) == 0);
    for (size_t i = 0; i < sizeof present; i++) {
        cr_assert(present[i] & 1);
    }
    memset(address, 0x77, 8 * MIB);
    cr_expect_eq(fixture_status(&fixture).pool_hits, 1);
    WAIT_UNTIL(pooled() == 8 * MIB);
    cr_assert(mb_release(lease) == 0);
    for (int round = 0; round < 4; round++) { /* whatever is lent next, no byte of it was seen before */
        WAIT_UNTIL(pooled() == 8 * MIB);
        cr_assert(mb_acquire(client, 8 * MIB, NULL, &lease) == 0);
        cr_assert(mb_map(lease, 0, &address, NULL) == 0);
        for (size_t i = 0; i < 8 * MIB; i += 4096) {
            cr_assert(((unsigned char *)address)[i] == 0);
        }
        memset(address, 0x77, 8 * MIB);
        cr_assert(mb_release(lease) == 0);
    }
    fixture_drain_pool(&fixture);
    end();
}

/* How many pages at the address have an entry in the page table. */
static size_t mapped_pages(const void *address, size_t bytes)
{
    enum { PAGE = 4096 };
    size_t count = 0;
    FILE *pages = fopen("/proc/self/pagemap", "re");
    cr_assert(pages && fseeko(pages, (off_t)((uintptr_t)address / PAGE * sizeof(uint64_t)), SEEK_SET) == 0);
    for (size_t i = 0; i < bytes / PAGE; i++) {
        uint64_t entry;
        cr_assert(fread(&entry, sizeof entry, 1, pages) == 1);
        count += entry >> 63;
    }
    (void)fclose(pages);
    return count;
}

Test(remembered, a_pooled_segment_is_mapped_at_once_unless_few_pages_will_be_touched)
{
    begin("[pool]\npool_bytes = 32M\nsizes = 8M\n");
    for (unsigned flags = 0; flags <= MB_LEASE_SPARSE; flags += MB_LEASE_SPARSE) {
        mb_lease_options options = MB_LEASE_OPTIONS_INIT;
        mb_lease *lease;
        void *address;
        options.flags = flags;
        WAIT_UNTIL(pooled() == 8 * MIB);
        cr_assert(mb_acquire(client, 8 * MIB, &options, &lease) == 0, "%s", mb_last_error());
        cr_expect_eq(mb_lease_charge(lease), MB_CHARGE_BROKER);
        cr_assert(mb_map(lease, 0, &address, NULL) == 0);
        cr_expect_eq(mapped_pages(address, 8 * MIB), flags ? 0 : 8 * MIB / 4096);
        *(volatile char *)address = 1;
        cr_expect_geq(mapped_pages(address, 8 * MIB), 1);
        cr_assert(mb_release(lease) == 0);
    }
    fixture_drain_pool(&fixture);
    end();
}

static mb_lease *borrow(unsigned flags)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *address;
    options.flags = MB_LEASE_UNDEFINED_CONTENT | flags;
    cr_assert(mb_acquire(client, 8 * MIB, &options, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, 0, &address, NULL) == 0, "%s", mb_last_error());
    return lease;
}

static void extend_used_again(unsigned before, unsigned flags, size_t pages)
{
    void *address;
    unsigned extent;
    begin("[pool]\npool_bytes = 32M\nsizes = 8M\n");
    mb_lease *lease = borrow(before);
    uint64_t id = mb_lease_id(lease);
    cr_assert(mb_release(lease) == 0);
    lease = borrow(flags);
    cr_assert_eq(mb_lease_id(lease), id, "it is the one that was released");
    WAIT_UNTIL(pooled() >= 8 * MIB);
    cr_assert(mb_extend(lease, 8 * MIB, &extent) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, extent, &address, NULL) == 0, "%s", mb_last_error());
    cr_expect_eq(mapped_pages(address, 8 * MIB), pages);
    cr_assert(mb_release(lease) == 0);
    fixture_drain_pool(&fixture);
    end();
}

Test(remembered, a_lease_that_is_used_again_is_as_sparse_as_the_new_request)
{
    extend_used_again(0, MB_LEASE_SPARSE, 0);
    extend_used_again(MB_LEASE_SPARSE, 0, 8 * MIB / 4096);
}

Test(remembered, a_reload_without_a_pool_empties_it)
{
    begin("[pool]\npool_bytes = 32M\nsizes = 8M 16M\n");
    WAIT_UNTIL(pooled() == 24 * MIB);
    fixture_write_config(&fixture, "[pool]\npool_bytes = 0\n");
    (void)kill(fixture.daemon, SIGHUP);
    WAIT_UNTIL(used() == 0);
    cr_expect_eq(pooled(), 0);
    end();
}

/* ---- the library's cache ---- */

Test(remembered, the_librarys_cache_gives_the_same_lease_back_zeroed)
{
    fixture_start(&fixture, "");
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_lease *lease;
    void *address;
    options.socket = fixture.socket;
    options.cache_bytes = 8 * MIB;
    cr_assert(mb_connect(&options, &client) == 0);
    cr_assert(mb_acquire(client, 4 * MIB, NULL, &lease) == 0);
    uint64_t first = mb_lease_id(lease);
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    memset(address, 0x33, 4 * MIB);
    cr_assert(mb_release(lease) == 0);
    cr_assert(mb_acquire(client, 4 * MIB, NULL, &lease) == 0);
    cr_expect_eq(mb_lease_id(lease), first);
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    for (size_t i = 0; i < 4 * MIB; i++) {
        cr_assert(((unsigned char *)address)[i] == 0, "byte %zu is left over", i);
    }
    mb_lease *other;
    cr_assert(mb_acquire(client, 16 * MIB, NULL, &other) == 0);
    cr_assert(mb_release(other) == 0);
    cr_assert(mb_ping(client) == 0);
    WAIT_UNTIL(used() == 4 * MIB); /* what exceeds the cache is released immediately */
    cr_assert(mb_release(lease) == 0);
    WAIT_UNTIL(used() == 0); /* idle for a second */
    end();
}
