/* SPDX-License-Identifier: Apache-2.0 */
/* A workspace of a fixed size; and a client whose connection breaks. */
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/fixture.h"

#define MIB UINT64_C(1048576)

TestSuite(workspace, .timeout = 60);

static mb_workspace *open_workspace(mb_client *client, uint64_t bytes, mb_location location)
{
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    mb_workspace *workspace;
    config.initial_size = bytes;
    config.location = location;
    config.allocation_policy = MB_ALLOCATION_STRICT;
    config.spill_policy = MB_SPILL_FAIL;
    cr_assert(mb_workspace_open(client, "test", &config, &workspace) == 0, "%s", mb_last_error());
    return workspace;
}

Test(workspace, allocations_are_aligned_adjacent_and_restart_each_cycle)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_workspace *workspace = open_workspace(client, 8192, MB_LOCATION_RAM);
    cr_expect_null(mb_workspace_alloc(workspace, 1), "no cycle is open");
    cr_expect(errno == EINVAL && strstr(mb_last_error(), "enter it first"), "%s", mb_last_error());
    for (int cycle = 0; cycle < 3; cycle++) {
        cr_assert(mb_workspace_enter(workspace) == 0);
        char *first = mb_workspace_alloc(workspace, 1), *second = mb_workspace_alloc(workspace, 17);
        char *third = mb_workspace_alloc(workspace, 0), *fourth = mb_workspace_alloc(workspace, 8192 - 48);
        cr_expect_eq((uintptr_t)first % 16, 0);
        cr_expect_eq(second - first, 16);
        cr_expect_eq(third - second, 32);
        cr_expect_eq(fourth, third);
        cr_expect_eq(mb_workspace_offset(workspace), 8192);
        memset(fourth, cycle, 8192 - 48);
        cr_expect_null(mb_workspace_alloc(workspace, 1));
        cr_expect(errno == ENOMEM && strstr(mb_last_error(), "8192 are used"), "%s", mb_last_error());
        cr_expect_null(mb_workspace_alloc(workspace, SIZE_MAX));
        cr_assert(mb_workspace_leave(workspace) == 0);
        cr_expect_eq(mb_workspace_leave(workspace), -EINVAL);
    }
    mb_workspace_close(workspace);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

static uint64_t used_by_listing(const struct fixture *fixture)
{
    struct reply reply;
    struct request list = {.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}};
    int fd = fixture_socket(fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL) && fixture_exchange(fd, &list, &reply, NULL));
    (void)close(fd);
    cr_assert_eq(reply.listing.lease_count, 1);
    return reply.listing.leases[0].used_bytes;
}

Test(workspace, the_use_of_a_cycle_is_reported_with_the_next_renewal)
{
    struct fixture fixture;
    fixture_start(&fixture, "[leases]\ndefault_ttl = 1s\n");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_workspace *workspace = open_workspace(client, MIB, MB_LOCATION_MMAP);
    cr_assert(mb_workspace_enter(workspace) == 0);
    (void)mb_workspace_alloc(workspace, 5000);
    cr_assert(mb_workspace_leave(workspace) == 0);
    WAIT_UNTIL(used_by_listing(&fixture) == 5008);
    mb_workspace_close(workspace);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

/* The next renewal is 20 minutes away. */
Test(workspace, the_first_use_is_reported_at_once)
{
    struct fixture fixture;
    fixture_start(&fixture, "[leases]\ndefault_ttl = 1h\n");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_workspace *workspace = open_workspace(client, MIB, MB_LOCATION_RAM);
    cr_assert(mb_workspace_enter(workspace) == 0);
    (void)mb_workspace_alloc(workspace, 5000);
    cr_expect_eq(used_by_listing(&fixture), 0);
    cr_assert(mb_workspace_leave(workspace) == 0);
    WAIT_UNTIL(used_by_listing(&fixture) == 5008);
    mb_workspace_close(workspace);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(workspace, the_first_use_is_reported_by_dispatching)
{
    struct fixture fixture;
    mb_lease *lease;
    fixture_start(&fixture, "[leases]\ndefault_ttl = 1h\n");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0);
    (void)mb_client_dispatch(client);
    cr_expect_gt(mb_client_timeout(client), 60000);
    mb_lease_report_use(lease, 4096);
    cr_expect_leq(mb_client_timeout(client), 50);
    WAIT_UNTIL(mb_client_dispatch(client) == 0 && used_by_listing(&fixture) == 4096);
    cr_expect_gt(mb_client_timeout(client), 60000, "once");
    mb_lease_report_use(lease, 8192);
    cr_expect_gt(mb_client_timeout(client), 60000, "more use waits for the renewal");
    (void)mb_release(lease);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(workspace, entering_notices_a_lost_lease)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_GUARD);
    mb_workspace *workspace = open_workspace(client, MIB, MB_LOCATION_RAM);
    cr_assert(mb_workspace_enter(workspace) == 0);
    char *bytes = mb_workspace_alloc(workspace, 1000);
    bytes[0] = 9;
    cr_assert(fixture_revoke(&fixture, mb_lease_id(mb_workspace_lease(workspace))) == ERROR_UNSPECIFIED);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    cr_expect_eq(bytes[0], 0, "the cycle goes on in zero pages of its own");
    bytes[0] = 1;
    cr_assert(mb_workspace_leave(workspace) == 0);
    cr_expect_eq(mb_workspace_enter(workspace), -ESTALE);
    cr_expect(strstr(mb_last_error(), "revoked"), "%s", mb_last_error());
    mb_workspace_close(workspace);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(workspace, the_seeds_sample_works_as_it_stands)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_workspace_config mmap = MB_WORKSPACE_CONFIG_INIT;
    mb_workspace *workspace;
    mmap.initial_size = 1000000000;
    mmap.location = MB_LOCATION_MMAP;
    cr_assert(mb_workspace_get(client, "M2", &mmap, &workspace) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_workspace_size(workspace), 1000000000, "a mapped workspace is not overallocated");
    cr_expect_eq(fixture_status(&fixture).used_mapped_bytes, 1000001536, "whole pages and not a byte more");
    cr_assert(mb_workspace_enter(workspace) == 0);
    float *x = mb_workspace_alloc(workspace, 10000 * sizeof *x);
    cr_assert(x);
    for (int i = 0; i < 10000; i++) {
        cr_assert(x[i] == 0);
        x[i] = (float)i;
    }
    cr_expect_eq(mb_workspace_offset(workspace), 40000);
    cr_expect(mb_lease_location(mb_workspace_lease(workspace)) == MB_LOCATION_MMAP);
    mb_workspace_close(workspace);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

static _Atomic unsigned resumed, disconnected, lost;

static void on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    resumed += event->type == MB_EVENT_RESUMED;
    disconnected += event->type == MB_EVENT_DISCONNECTED;
    lost += event->type == MB_EVENT_LEASE_LOST;
}

/* Breaks every Unix connection of this process. */
static void break_connections(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int type = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
}

Test(workspace, a_broken_connection_is_resumed_and_no_lease_is_lost)
{
    struct fixture fixture;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    mb_lease *lease;
    void *address;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.on_event = on_event;
    cr_assert(mb_connect(&options, &client) == 0);
    cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0 && mb_map(lease, 0, &address, NULL) == 0);
    memset(address, 0x77, MIB);
    uint64_t session = mb_client_session(client);
    for (unsigned round = 1; round <= 5; round++) {
        break_connections();
        WAIT_UNTIL(atomic_load(&resumed) == round);
        cr_expect_eq(atomic_load(&disconnected), round);
        cr_assert(mb_ping(client) == 0, "%s", mb_last_error());
        cr_expect(mb_lease_check(lease) == 0 && ((unsigned char *)address)[MIB - 1] == 0x77);
        cr_expect_eq(mb_client_session(client), session);
    }
    cr_expect_eq(atomic_load(&lost), 0);
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    cr_expect_eq(fixture_status(&fixture).sessions, 1);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(workspace, leases_released_while_disconnected_are_given_back_afterwards)
{
    struct fixture fixture;
    mb_lease *lease, *kept;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0 && mb_acquire(client, 2 * MIB, NULL, &kept) == 0);
    break_connections();
    cr_assert(mb_client_dispatch(client) == 0);
    cr_assert(mb_release(lease) == 0);
    for (int i = 0; i < 500 && fixture_status(&fixture).used_bytes != 2 * MIB; i++) {
        sleep_ms(10);
        cr_assert(mb_client_dispatch(client) == 0);
    }
    cr_expect_eq(fixture_status(&fixture).used_bytes, 2 * MIB);
    cr_expect(mb_lease_check(kept) == 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}
