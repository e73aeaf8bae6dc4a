/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces that get their own released memory back: arenas that are opened again, and spills. */
#include <string.h>

#include "tests/integration/workspaces.h"

TestSuite(kept_arenas, .timeout = 60);

static bool is_all(const char *address, char byte, uint64_t bytes)
{
    return address[0] == byte && memcmp(address, address + 1, bytes - 1) == 0;
}

/* The broker numbers leases in order. */
static uint64_t newest_lease(void)
{
    mb_lease *lease = NULL;
    cr_assert(mb_acquire(client, 4096, NULL, &lease) == 0, "%s", mb_last_error());
    return mb_lease_id(lease);
}

static mb_workspace_config fixed(uint64_t bytes)
{
    mb_workspace_config config = default_config();
    config.initial_size = bytes;
    config.learning_policy = MB_LEARNING_NONE;
    config.spill_policy = MB_SPILL_EXTERNAL;
    return config;
}

Test(kept_arenas, a_workspace_that_is_opened_again_has_its_arena_back)
{
    begin("");
    mb_workspace *workspace = open_named(client, "again", fixed(MIB));
    uint64_t id = mb_lease_id(mb_workspace_lease(workspace));
    cycle_of(workspace, 1000);
    mb_workspace_close(workspace);
    workspace = open_named(client, "again", fixed(MIB));
    cr_expect_eq(mb_lease_id(mb_workspace_lease(workspace)), id);
    ENTER(workspace);
    const char *zeroed = mb_workspace_alloc_aligned(workspace, 1000, 16, MB_ZEROED);
    cr_assert(zeroed);
    cr_expect(is_all(zeroed, 0, 1000));
    LEAVE(workspace);
    mb_workspace_close(workspace);
    WAIT_UNTIL(used() == 0);
    end();
}

static const char *zeroed_of(mb_workspace *workspace, uint64_t bytes)
{
    ENTER(workspace);
    const char *zeroed = mb_workspace_alloc_aligned(workspace, bytes, 16, MB_ZEROED);
    cr_assert(zeroed && is_all(zeroed, 0, bytes));
    LEAVE(workspace);
    return zeroed;
}

/* Learns, closes and opens it several times, and counts the leases of its arena. */
static unsigned arenas_of(mb_client *of)
{
    unsigned arenas = 0;
    uint64_t last = 0;
    for (int i = 0; i < 10; i++) {
        mb_workspace *workspace = open_named(of, "learned", default_config());
        cycle_of(workspace, MIB);
        cycle_of(workspace, MIB);
        uint64_t id = mb_lease_id(mb_workspace_lease(workspace));
        arenas += id != last;
        last = id;
        (void)zeroed_of(workspace, MIB);
        mb_workspace_close(workspace);
    }
    return arenas;
}

Test(kept_arenas, a_learned_arena_comes_back_with_its_workspace)
{
    begin("");
    cr_expect_eq(arenas_of(client), 1);
    mb_client *forgetful = fixture_connect(&fixture, MB_CLIENT_NO_LEARNED_SIZES);
    cr_expect_eq(arenas_of(forgetful), 1);
    mb_disconnect(forgetful);
    end();
}

Test(kept_arenas, spills_serve_the_next_cycle_and_are_zeroed_if_asked)
{
    begin("");
    mb_workspace *workspace = open_named(client, "spilling", fixed(64 << 10));
    cycle_of(workspace, 200 << 10);
    uint64_t last = newest_lease();
    for (int i = 0; i < 10; i++) {
        ENTER(workspace);
        const char *old = mb_workspace_alloc(workspace, 100 << 10);
        cr_assert(old);
        cr_expect(is_all(old, 0x5a, 100 << 10), "it is what the last cycle wrote");
        char *zeroed = mb_workspace_alloc_aligned(workspace, 100 << 10, 16, MB_ZEROED);
        cr_assert(zeroed);
        cr_expect(is_all(zeroed, 0, 100 << 10));
        memset(zeroed, 0x5a, 100 << 10);
        LEAVE(workspace);
    }
    cr_expect_eq(newest_lease(), last + 1, "no cycle asked the broker");
    mb_workspace_close(workspace);
    end();
}

static void use(unsigned flags, int prefault, uint64_t *ret_lease)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease = NULL;
    void *address;
    options.flags = flags;
    options.prefault = prefault;
    cr_assert(mb_acquire(client, MIB, &options, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    *ret_lease = mb_lease_id(lease);
    (void)mb_release(lease);
}

Test(kept_arenas, a_prefaulted_lease_serves_the_next_that_wants_one)
{
    uint64_t first, second;
    begin("");
    use(MB_LEASE_UNDEFINED_CONTENT, 1, &first);
    use(MB_LEASE_UNDEFINED_CONTENT, 1, &second);
    cr_expect_eq(first, second);
    end();
}

/* A lease is in use each time that the library looks for old ones. */
Test(kept_arenas, the_library_still_looks_after_a_time_of_use)
{
    uint64_t lease;
    begin("");
    for (int i = 0; i < 15; i++) {
        use(MB_LEASE_UNDEFINED_CONTENT, 0, &lease);
        sleep_ms(100);
    }
    cr_expect_eq(used(), MIB);
    WAIT_UNTIL(used() == 0);
    end();
}
