/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a refusal, as mb_last_refusal() has them: of each limit, of each thread, as long as the sentence. */
#include <pthread.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/workspaces.h"

TestSuite(refusal_figures, .timeout = 60);

#define TIB (UINT64_C(1) << 40)

static mb_lease *acquire(uint64_t bytes, mb_location location)
{
    mb_lease *lease = NULL;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.location = location;
    cr_assert(mb_acquire(client, bytes, &options, &lease) == 0, "%s", mb_last_error());
    return lease;
}

static mb_refusal figures(void)
{
    mb_refusal refusal = MB_REFUSAL_INIT;
    cr_assert_eq(mb_last_refusal(&refusal), 0, "no figures of: %s", mb_last_error());
    cr_expect_eq(refusal.size, sizeof refusal);
    return refusal;
}

static mb_refusal refused(uint64_t bytes, mb_location location, int result)
{
    mb_lease *lease;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.location = location;
    cr_assert_eq(mb_acquire(client, bytes, &options, &lease), result, "%s", mb_last_error());
    return figures();
}

static void expect_bytes(const mb_refusal *refusal, uint64_t limit, uint64_t asked, uint64_t used)
{
    cr_expect_eq(refusal->limit_bytes, limit);
    cr_expect_eq(refusal->asked_bytes, asked);
    cr_expect_eq(refusal->used_bytes, used);
    cr_expect_eq(refusal->free_bytes, limit - used);
    cr_expect(refusal->reserved_bytes == 0 && refusal->claimed_bytes == 0 && refusal->pool_bytes == 0);
}

static void expect_limit(const mb_refusal *refusal, mb_limit_kind kind, const char *limit, const char *whose)
{
    cr_expect_eq(refusal->kind, kind);
    cr_expect_str_eq(refusal->limit, limit);
    cr_expect_str_eq(refusal->whose, whose);
}

static void expect_one_holder(const mb_refusal *refusal, uint64_t bytes)
{
    const mb_holder *holder = &refusal->holders[0];
    cr_assert(refusal->holder_count == 1 && refusal->ahead_count == 0);
    cr_expect(holder->session == mb_client_session(client) && holder->bytes == bytes);
    cr_expect(holder->pid == getpid() && holder->uid == getuid() && holder->name[0]);
}

Test(refusal_figures, are_those_of_each_limit_on_bytes)
{
    begin("[pool]\npool_bytes = 0\n[limits]\nmax_physical_bytes = 8M\nmax_mapped_bytes = 4M\nmax_bytes = 11M\n");
    (void)acquire(6 * MIB, MB_LOCATION_RAM);
    mb_refusal refusal = refused(3 * MIB - 1, MB_LOCATION_RAM, -ENOMEM);
    expect_limit(&refusal, MB_LIMIT_KIND_PHYSICAL_BYTES, "max_physical_bytes", "host");
    expect_bytes(&refusal, 8 * MIB, 3 * MIB, 6 * MIB);
    expect_one_holder(&refusal, 6 * MIB);
    cr_expect_eq(mb_refusal_may_fit_later(&refusal), 1);
    refusal = refused(5 * MIB, MB_LOCATION_MMAP, -ENOSPC);
    cr_expect_eq(mb_refusal_may_fit_later(&refusal), 0, "the limit is smaller");
    expect_limit(&refusal, MB_LIMIT_KIND_MAPPED_BYTES, "max_mapped_bytes", "host");
    expect_bytes(&refusal, 4 * MIB, 5 * MIB, 0);
    mb_client *other = fixture_connect(&fixture, 0);
    mb_lease *lease;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.location = MB_LOCATION_MMAP;
    cr_assert(mb_acquire(other, 4 * MIB, &options, &lease) == 0);
    refusal = refused(2 * MIB, MB_LOCATION_RAM, -ENOMEM);
    expect_limit(&refusal, MB_LIMIT_KIND_BYTES, "max_bytes", "host");
    expect_bytes(&refusal, 11 * MIB, 2 * MIB, 10 * MIB);
    cr_assert_eq(refusal.holder_count, 2);
    cr_expect(refusal.holders[0].bytes == 6 * MIB && refusal.holders[0].session == mb_client_session(client));
    cr_expect(refusal.holders[1].bytes == 4 * MIB && refusal.holders[1].session == mb_client_session(other));
    mb_disconnect(other);
    end();
}

Test(refusal_figures, say_whose_limit_it_is)
{
    fixture_start(&fixture, "[user *]\nmax_physical_bytes = 4M\n");
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = fixture.socket;
    options.max_physical_bytes = 2 * MIB;
    cr_assert(mb_connect(&options, &client) == 0, "%s", mb_last_error());
    mb_refusal refusal = refused(3 * MIB, MB_LOCATION_RAM, -ENOMEM);
    expect_limit(&refusal, MB_LIMIT_KIND_PHYSICAL_BYTES, "max_physical_bytes", "client");
    expect_bytes(&refusal, 2 * MIB, 3 * MIB, 0);
    mb_disconnect(client);
    client = fixture_connect(&fixture, 0);
    refusal = refused(5 * MIB, MB_LOCATION_RAM, -ENOMEM);
    cr_expect(strncmp(refusal.whose, "user ", 5) == 0 && refusal.limit_bytes == 4 * MIB, "%s", refusal.whose);
    end();
}

Test(refusal_figures, count_leases_if_those_are_limited)
{
    begin("[user *]\nmax_leases = 1\n");
    (void)acquire(MIB, MB_LOCATION_RAM);
    mb_refusal refusal = refused(MIB, MB_LOCATION_RAM, -EMFILE);
    cr_expect(refusal.kind == MB_LIMIT_KIND_LEASES && strcmp(refusal.limit, "max_leases") == 0);
    expect_bytes(&refusal, 1, 1, 1);
    cr_expect_eq(refusal.holder_count, 0);
    end();
}

Test(refusal_figures, are_those_of_the_hosts_memory)
{
    begin("[limits]\nmax_physical_bytes = 100T\nmax_bytes = 100T\n[pressure]\npause_ram_at = never\n");
    (void)acquire(4 * MIB, MB_LOCATION_RAM);
    mb_refusal refusal = refused(90 * TIB, MB_LOCATION_RAM, -ENOMEM);
    expect_limit(&refusal, MB_LIMIT_KIND_AVAILABLE_MEMORY, "available_memory", "host");
    cr_expect(refusal.asked_bytes == 90 * TIB && refusal.limit_bytes > 0 && refusal.limit_bytes < TIB);
    cr_expect_leq(refusal.free_bytes, refusal.limit_bytes - refusal.used_bytes);
    end();
}

Test(refusal_figures, are_those_of_the_file_system)
{
    struct statvfs space;
    begin("[limits]\nmax_mapped_bytes = 1000T\nmax_bytes = 1000T\n");
    cr_assert(statvfs(fixture.spill, &space) == 0);
    uint64_t available = (uint64_t)space.f_bavail * space.f_frsize;
    if (available > 500 * TIB) {
        cr_skip_test("no limit can be above what the file system has");
    }
    mb_refusal refusal = refused(available + TIB, MB_LOCATION_MMAP, -ENOSPC);
    expect_limit(&refusal, MB_LIMIT_KIND_DISK_SPACE, "disk_space", "host");
    cr_expect_geq(refusal.asked_bytes, available + TIB);
    cr_expect(refusal.free_bytes == refusal.limit_bytes && refusal.used_bytes == 0);
    cr_expect(refusal.free_bytes > 0 || available == 0);
    cr_expect_lt(refusal.free_bytes, refusal.asked_bytes);
    end();
}

Test(refusal_figures, name_the_requests_that_wait_ahead)
{
    begin("[pool]\npool_bytes = 0\n[limits]\nmax_physical_bytes = 8M\n");
    mb_lease *held = acquire(6 * MIB, MB_LOCATION_RAM);
    cleanup(fd_closep) int other = fixture_socket(&fixture);
    struct reply reply;
    struct request request = {.kind = REQUEST_ACQUIRE, .id = 77};
    cr_assert(fixture_hello(other, false, &reply, NULL));
    request.acquire = (struct acquire_request){.bytes = 5 * MIB, .wait_ms = 60000, .numa_node = -1};
    cr_assert(fixture_send(other, &request));
    WAIT_UNTIL(fixture_status(&fixture).waiting == 1);
    mb_refusal refusal = refused(MIB, MB_LOCATION_RAM, -ENOMEM);
    cr_expect_eq(refusal.claimed_bytes, 5 * MIB, "%s", mb_last_error());
    cr_expect(refusal.ahead_count == 1 && refusal.ahead[0].bytes == 5 * MIB);
    cr_expect_str_eq(refusal.ahead[0].name, "test");
    cr_expect_eq(refusal.free_bytes, 0);
    mb_release(held);
    end();
}

/* A limit of the client: no buffer, spill or arena fits. */
static void begin_small(void)
{
    begin("[pool]\npool_bytes = 0\n[limits]\nmax_physical_bytes = 1M\nmax_bytes = 1M\n");
}

Test(refusal_figures, stay_with_buffers_and_workspaces)
{
    mb_buffer *buffer;
    mb_workspace *workspace;
    begin_small();
    cr_expect_eq(mb_buffer_create(client, 8 * MIB, NULL, &buffer), -ENOMEM);
    cr_expect_geq(figures().asked_bytes, 8 * MIB);
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    config.initial_size = 16 * MIB;
    cr_expect_eq(mb_workspace_open(client, "large", &config, &workspace), -ENOMEM);
    cr_expect_geq(figures().asked_bytes, 16 * MIB);
    config.initial_size = 4096;
    workspace = open_named(client, "small", config);
    ENTER(workspace);
    cr_expect_null(mb_workspace_alloc(workspace, 32 * MIB));
    cr_expect_geq(figures().asked_bytes, 32 * MIB);
    LEAVE(workspace);
    mb_workspace_close(workspace);
    end();
}

Test(refusal_figures, end_with_the_error_that_they_explain)
{
    mb_refusal refusal = MB_REFUSAL_INIT;
    mb_lease *lease;
    cr_expect_eq(mb_last_refusal(&refusal), -ENODATA, "before the first call");
    begin_small();
    cr_expect_eq(mb_last_refusal(&refusal), -ENODATA, "before the first failure");
    (void)refused(8 * MIB, MB_LOCATION_RAM, -ENOMEM);
    cr_expect_eq(figures().asked_bytes, 8 * MIB, "they are read twice");
    cr_expect_not_null(strstr(mb_last_error(), "max_physical_bytes"));
    cr_assert(mb_ping(client) == 0);
    cr_expect_eq(mb_last_refusal(&refusal), -ENODATA, "a call succeeded");
    (void)refused(8 * MIB, MB_LOCATION_RAM, -ENOMEM);
    cr_assert(mb_acquire(client, 0, NULL, &lease) == -EINVAL);
    cr_expect_eq(mb_last_refusal(&refusal), -ENODATA, "a call failed for another reason");
    cr_expect(refusal.kind == MB_LIMIT_KIND_OTHER && refusal.asked_bytes == 0, "an output is written on success only");
    end();
}

static void *look(void *result)
{
    mb_refusal refusal = MB_REFUSAL_INIT;
    *(int *)result = mb_last_refusal(&refusal);
    return NULL;
}

Test(refusal_figures, belong_to_the_thread_that_was_refused)
{
    pthread_t thread;
    int elsewhere = 0;
    begin_small();
    (void)refused(8 * MIB, MB_LOCATION_RAM, -ENOMEM);
    cr_assert(pthread_create(&thread, NULL, look, &elsewhere) == 0 && pthread_join(thread, NULL) == 0);
    cr_expect_eq(elsewhere, -ENODATA);
    cr_expect_eq(figures().asked_bytes, 8 * MIB);
    end();
}

Test(refusal_figures, need_a_structure_that_says_its_size)
{
    mb_refusal refusal = {0};
    begin_small();
    (void)refused(8 * MIB, MB_LOCATION_RAM, -ENOMEM);
    cr_expect_eq(mb_last_refusal(&refusal), -EINVAL);
    cr_expect_not_null(strstr(mb_last_error(), "MB_REFUSAL_INIT"));
    end();
}
